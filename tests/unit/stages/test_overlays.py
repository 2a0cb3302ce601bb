"""Overlays show what the models saw: in the window of the recipe, slice by slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError, MedistillError
from medistill.serve.inputs import find_inputs
from medistill.stages import overlays
from medistill.stages.context import SilentReporter
from medistill.stages.overlays import explain_images
from tests.unit.stages.scans import DEPTH, HU, lung, save_ct, save_volume, slice_of


def _pixels(folder: Path) -> list[np.ndarray]:
    """Every overlay, in the order of their names."""
    found = []
    for path in sorted(folder.iterdir()):
        with Image.open(path) as picture:
            found.append(np.asarray(picture).astype(int))
    return found


def test_ct_and_volumes_are_explained_in_the_window_of_the_recipe(
    finished: Path, tmp_path: Path
) -> None:
    scans = [save_ct(tmp_path / "a.dcm"), save_volume(tmp_path / "b.nii.gz")]
    plain = [tmp_path / f"{number}.png" for number in range(1 + DEPTH)]
    for path, hu in zip(plain, [HU, *map(slice_of, range(DEPTH))], strict=True):
        Image.fromarray(lung(hu)).save(path)
    shown = explain_images(finished, scans, out=tmp_path / "shown")
    expected = explain_images(finished, plain, out=tmp_path / "expected")
    names = {path.name.split(".", 1)[0] for path in shown.iterdir()}
    assert names == {item.stem for item in find_inputs(scans)}
    for found, right in zip(_pixels(shown), _pixels(expected), strict=True):
        np.testing.assert_allclose(found, right, atol=2)


def test_overlays_of_other_images_stay_and_it_is_said_where_they_all_lie(
    finished: Path, tmp_path: Path
) -> None:
    places = [tmp_path / folder / "a.png" for folder in ("first", "second")]
    for path, level in zip(places, (40, 200), strict=True):
        path.parent.mkdir()
        Image.fromarray(np.full((32, 32), level, np.uint8)).save(path)
    said: list[str] = []
    speaker = SilentReporter()
    speaker.say = said.append  # type: ignore[method-assign]
    folder = explain_images(finished, places[:1], out=tmp_path / "out", reporter=speaker)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert said[-1] == f"Overlays: {folder}"
    assert all(line.startswith(f"{places[0]}: ") for line in said[:-1])
    explain_images(finished, places[1:], out=folder)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(after) == 2 * len(before)
    assert after.items() >= before.items()
    explain_images(finished, places, out=folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == after


@pytest.mark.parametrize("below", ["a.png", "a.png/x"])
def test_a_file_in_the_way_of_the_overlays_is_named(
    finished: Path, tmp_path: Path, below: str
) -> None:
    picture = tmp_path / "a.png"
    Image.new("L", (32, 32), 90).save(picture)
    with pytest.raises(MedistillError, match="a file is in the way. Choose another folder with"):
        explain_images(finished, [picture], out=tmp_path / below)


def test_a_full_disk_names_the_folder_of_the_overlays(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = tmp_path / "a.png"
    Image.new("L", (32, 32), 90).save(picture)

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(overlays, "write_bytes", full)
    with pytest.raises(MedistillError, match=r"out: cannot be written \(No space left.*--out"):
        explain_images(finished, [picture], out=tmp_path / "out")


def test_what_is_left_out_is_said_once_for_all_slices(finished: Path, tmp_path: Path) -> None:
    volume = save_volume(tmp_path / "b.nii")
    volume.write_bytes(volume.read_bytes()[:400])
    said: list[str] = []
    speaker = SilentReporter()
    speaker.say = said.append  # type: ignore[method-assign]
    with pytest.raises(DataError, match="no image could be read"):
        explain_images(finished, [volume, tmp_path / ("x" * 300)], out=tmp_path, reporter=speaker)
    assert [line.partition(": ")[0] for line in said] == ["left out"] * 2
    assert "File name too long" in said[1]
