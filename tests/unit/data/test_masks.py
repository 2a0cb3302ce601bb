"""Masks of a set by row: kept while there is room, rendered like their image."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError
from medistill.core.types import Sample
from medistill.data.masks import Masks, render_mask
from medistill.data.rendition import render_view
from medistill.data.views import ViewPolicy, draw_view
from medistill.imaging.masks import UNKNOWN


def write(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values.astype(np.uint8)).save(path, quality=50)
    return path


def square(value: int, size: int = 32) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    mask[8:20, 4:24] = value
    return mask


def test_slices_of_a_label_map_are_read_along_their_plane(tmp_path: Path) -> None:
    values = np.zeros((3, 4, 5), np.uint8)
    values[1, 2, 3] = 2
    path = tmp_path / "m.nii.gz"
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)  # type: ignore[no-untyped-call]
    samples = [
        Sample(path=path, name="a", label=None, group="a", mask=path, frame=frame, plane=plane)
        for frame, plane in ((3, "axial"), (2, "axial"), (2, "coronal"), (1, "sagittal"))
    ]
    masks = Masks(samples, 3)
    assert [masks[row].shape for row in range(4)] == [(4, 3), (4, 3), (5, 3), (5, 4)]
    assert [int(masks[row].max()) for row in range(4)] == [2, 0, 2, 2]


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
    with pytest.raises(DataError, match="cannot be opened"):
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
