"""Masks: read as classes, refused where they are none, rendered like their image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError
from medistill.core.types import Sample
from medistill.data.masks import UNKNOWN, Masks, read_mask, render_mask
from medistill.data.rendition import render_view
from medistill.data.views import ViewPolicy, draw_view


def write(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values.astype(np.uint8)).save(path, quality=50)
    return path


def square(value: int, size: int = 32) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    mask[8:20, 4:24] = value
    return mask


def test_a_jpeg_is_cut_at_half_of_white(tmp_path: Path) -> None:
    path = write(tmp_path / "mask.jpg", square(255))
    with Image.open(path) as image:
        assert len(np.unique(np.asarray(image))) > 2, "JPEG left nothing to cut"
    assert np.array_equal(read_mask(path, classes=2), square(1))


def test_black_and_white_and_indices_are_told_apart(tmp_path: Path) -> None:
    assert np.array_equal(read_mask(write(tmp_path / "a.png", square(255)), classes=2), square(1))
    assert np.array_equal(read_mask(write(tmp_path / "b.png", square(1)), classes=2), square(1))
    some = square(2)
    some[0, 0] = UNKNOWN
    assert np.array_equal(read_mask(write(tmp_path / "c.png", some), classes=3), some)


def test_what_is_no_mask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="value 7 is no class. Give a PNG with values 0 to 2"):
        read_mask(write(tmp_path / "a.png", square(7)), classes=3)
    with pytest.raises(DataError, match="a JPEG blurs class indices"):
        read_mask(write(tmp_path / "b.jpg", square(200)), classes=3)
    (tmp_path / "c.png").write_text("no picture")
    with pytest.raises(DataError, match="the mask cannot be read"):
        read_mask(tmp_path / "c.png", classes=2)
    with pytest.raises(DataError, match="the mask cannot be read"):
        read_mask(tmp_path / "absent.png", classes=2)


def test_masks_beyond_the_room_are_read_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medistill.data.masks._KEPT_BYTES", 100)
    samples = []
    for number in range(3):
        path = tmp_path / f"{number}.png"
        Image.fromarray(np.full((7, 7), number, np.uint8)).save(path)
        samples.append(Sample(path=path, name=path.name, label=None, group="g", mask=path))
    masks = Masks(samples, 3)
    for row in range(3):
        assert (masks[row] == row).all()
    for path in tmp_path.iterdir():
        path.unlink()
    assert (masks[1] == 1).all()
    with pytest.raises(DataError, match="cannot be read"):
        masks[2]


def test_an_image_without_a_mask_is_unknown(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", square(1))
    samples = [
        Sample(path=path, name="a", label=None, group="a", mask=path),
        Sample(path=path, name="b", label=None, group="b"),
    ]
    masks = Masks(samples, 2)
    assert masks.known(0)
    assert not masks.known(1)
    shown = render_mask(
        masks[1],
        draw_view(ViewPolicy(), content_hash="b", view=3),
        size=8,
        fit="stretch",
        classes=2,
    )
    assert (shown == UNKNOWN).all()


@pytest.mark.parametrize("view", range(4))
def test_a_mask_moves_with_its_image(view: int) -> None:
    """A picture whose bright square is the mask: after the view they still agree."""
    mask = square(1, 64)
    stored = mask.astype(np.uint16) * 65535
    policy = ViewPolicy(brightness=0, contrast=0, gamma=0, rotate_degrees=25.0, scale=(0.4, 1.0))
    drawn = draw_view(policy, content_hash="image", view=view)
    image = render_view(stored, drawn, size=48, fit="stretch")[0] > 0.5
    shown = render_mask(mask, drawn, size=48, fit="stretch", classes=2)
    assert shown.any()
    assert (image == (shown == 1)).mean() > 0.98


def test_view_0_of_a_mask_is_the_mask() -> None:
    mask = square(2)
    shown = render_mask(
        mask, draw_view(ViewPolicy(), content_hash="x", view=0), size=32, fit="stretch", classes=3
    )
    assert np.array_equal(shown, mask)
