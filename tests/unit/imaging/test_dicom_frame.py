"""Rescale and window of enhanced files: those of the frame, else those of all frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from medistill.core.errors import DataError
from medistill.imaging.picture import Picture
from medistill.imaging.reader import read_image
from tests.unit.imaging.dicom_files import save, table

HU_SCALE = {"RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"}
MEDIASTINUM = {"WindowCenter": 40, "WindowWidth": 400}
#: Air and soft tissue as they are stored: -1024 and 40 HU.
AIR, TISSUE = 0, 1064
FRAME = np.array([[AIR, TISSUE], [AIR, TISSUE]], dtype=np.uint16)


def _group(scale: dict[str, Any] | None = None, voi: dict[str, Any] | None = None) -> Dataset:
    """A functional group of the macros that are given."""
    group = Dataset()
    macros = {"PixelValueTransformationSequence": scale, "FrameVOILUTSequence": voi}
    for macro, elements in macros.items():
        if elements is not None:
            item = Dataset()
            for keyword, value in elements.items():
                setattr(item, keyword, value)
            setattr(group, macro, [item])
    return group


def _enhanced(path: Path, shared: Dataset, frames: list[Dataset], **elements: Any) -> Path:
    """Enhanced CT of one frame a group, all with the same numbers."""
    said: dict[str, Any] = {
        "NumberOfFrames": len(frames),
        "PixelData": FRAME.tobytes() * len(frames),
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": frames,
    }
    return save(path, FRAME, bits=12, Modality="CT", **{**said, **elements})


def _tones(picture: Picture) -> tuple[float, float]:
    """Gray of air and of soft tissue."""
    return float(picture.pixels[0, 0]), float(picture.pixels[0, 1])


def test_shared_rescale_and_window_hold_for_every_frame(tmp_path: Path) -> None:
    path = _enhanced(tmp_path / "a.dcm", _group(HU_SCALE, MEDIASTINUM), [_group()])
    # PS3.3, C.11.2.1.2.1: (40 - 39.5) / 399 + 0.5.
    assert _tones(read_image(path)) == pytest.approx((0, 0.5 + 0.5 / 399))
    assert read_image(path).history[1:] == ("1 x + -1024", "window 40/400")
    named = read_image(path, window="lung")
    # (40 - -600.5) / 1499 + 0.5; air is outside.
    assert _tones(named) == pytest.approx((0.5 + (-1024 + 600.5) / 1499, 0.5 + 640.5 / 1499))


def test_named_window_replaces_none_in_hounsfield_units(tmp_path: Path) -> None:
    path = _enhanced(tmp_path / "a.dcm", _group(HU_SCALE), [_group()])
    assert _tones(read_image(path, window="mediastinum")) == pytest.approx((0, 0.5 + 0.5 / 399))
    assert "no window declared: -1024 to 3071 HU" in read_image(path).history


def test_frame_goes_before_shared_and_shared_before_the_top_level(tmp_path: Path) -> None:
    frames = [_group(), _group(voi={"WindowCenter": 1040, "WindowWidth": 400})]
    top = {"RescaleSlope": 1, "RescaleIntercept": 0, "WindowCenter": 5, "WindowWidth": 2}
    path = _enhanced(tmp_path / "a.dcm", _group(HU_SCALE, MEDIASTINUM), frames, **top)
    assert _tones(read_image(path, frame=0)) == pytest.approx((0, 0.5 + 0.5 / 399))
    assert _tones(read_image(path, frame=1)) == (0, 0)
    other = [_group({**HU_SCALE, "RescaleIntercept": -1000}), _group()]
    path = _enhanced(tmp_path / "b.dcm", _group(HU_SCALE, MEDIASTINUM), other, **top)
    assert _tones(read_image(path, frame=0))[1] == pytest.approx(0.5 + 24.5 / 399)
    assert _tones(read_image(path, frame=1))[1] == pytest.approx(0.5 + 0.5 / 399)


def test_window_of_the_frame_replaces_the_table_of_the_file(tmp_path: Path) -> None:
    black = table(np.zeros(4096, dtype=np.uint16), first=0, bits=16)
    groups = _group(HU_SCALE, MEDIASTINUM), [_group()]
    path = _enhanced(tmp_path / "a.dcm", *groups, VOILUTSequence=[black])
    assert _tones(read_image(path))[1] == pytest.approx(0.5 + 0.5 / 399)


def test_table_of_the_frame_is_used(tmp_path: Path) -> None:
    values = np.arange(4096, dtype=np.uint16) * 16
    voi = {"VOILUTSequence": [table(values, first=0, bits=16)]}
    path = _enhanced(tmp_path / "a.dcm", _group(HU_SCALE, voi), [_group()])
    assert _tones(read_image(path)) == pytest.approx((0, 40 * 16 / 65535))


def test_empty_groups_say_nothing(tmp_path: Path) -> None:
    top = {**HU_SCALE, **MEDIASTINUM}
    path = _enhanced(tmp_path / "a.dcm", _group(), [_group(voi={})], **top)
    assert _tones(read_image(path))[1] == pytest.approx(0.5 + 0.5 / 399)


def test_groups_that_end_before_the_frame_are_refused(tmp_path: Path) -> None:
    pixels = FRAME.tobytes() * 2
    path = _enhanced(
        tmp_path / "a.dcm", _group(HU_SCALE), [_group()], NumberOfFrames=2, PixelData=pixels
    )
    assert read_image(path, frame=0).shape == (2, 2)
    with pytest.raises(DataError, match="describes 1 of its 2 frames"):
        read_image(path, frame=1)
