"""Classes of a set, from what its masks hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError
from medistill.data.mask_classes import MaskClasses, mask_classes
from medistill.imaging.masks import JPEG_MASKS

BINARY = ("background", "foreground")


def save(folder: Path, *masks: tuple[int, ...], ending: str = "png") -> list[Path]:
    """One mask a row of values, each of a block of pixels."""
    paths = [folder / f"{number}.{ending}" for number in range(len(masks))]
    for path, values in zip(paths, masks, strict=True):
        Image.fromarray(np.repeat(np.array([values], np.uint8), 8, axis=0)).save(path)
    return paths


@pytest.mark.parametrize("workers", [0, 2])
def test_classes_are_numbered_over_all_masks(tmp_path: Path, workers: int) -> None:
    paths = save(tmp_path, (0, 0), (0, 2), (1, 0), (0, 3), (2, 2))
    found = mask_classes(paths, where=tmp_path, workers=workers)
    values = ((0,), (0, 2), (0, 1), (0, 3), (2,))
    assert found == MaskClasses(("background", "class-1", "class-2", "class-3"), (), values)


def test_black_and_white_in_any_form_is_two_classes(tmp_path: Path) -> None:
    paths = save(tmp_path, (0, 255), (0, 1), (255, 255), (0, 0))
    values = ((0, 255), (0, 1), (255,), (0,))
    assert mask_classes(paths, where=tmp_path) == MaskClasses(BINARY, (), values)
    lossy = save(tmp_path, (0,) * 8 + (255,) * 8, ending="jpg")
    expected = MaskClasses(BINARY, (JPEG_MASKS,), (*values, (0, 1)))
    assert mask_classes([*paths, *lossy], where=tmp_path) == expected


def test_255_beside_several_classes_is_unknown_and_said(tmp_path: Path) -> None:
    found = mask_classes(save(tmp_path, (0, 1), (2, 255)), where=tmp_path)
    assert found.names == ("background", "class-1", "class-2")
    assert found.caveats == ("Pixels of 255 in a mask are taken for unknown.",)


@pytest.mark.parametrize(
    ("masks", "said"),
    [
        ([(0, 1), (0, 50, 100)], "1.png: holds the values 0, 50, 100, and all masks together"),
        ([(0, 85, 170, 255)], "0.png: holds the values 0, 85, 170, 255: neither class numbers"),
        ([(0, 1), (0, 3)], "1.png: holds the values 0, 3, and all masks together the values 0, 1"),
        ([(0, 1, 255)], "0.png: holds the values 0, 1, 255: neither"),
        ([tuple(range(256))], "0.png: holds the values 0, 1, 2, 3, 4, 5, 6, 7 and 248 more: nei"),
        ([(0, 128)], "0.png: holds the values 0, 128: neither"),
    ],
)
def test_values_that_are_no_classes_are_refused(
    tmp_path: Path, masks: list[tuple[int, ...]], said: str
) -> None:
    with pytest.raises(DataError, match=f"{said}.*Save it as PNG with class numbers from 0"):
        mask_classes(save(tmp_path, *masks), where=tmp_path)


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_set_of_empty_masks_is_refused(tmp_path: Path, ending: str) -> None:
    paths = save(tmp_path, (0, 0), (0, 0), ending=ending)
    with pytest.raises(DataError, match="all 2 masks are empty"):
        mask_classes(paths, where=tmp_path)


def test_jpeg_among_several_classes_is_refused(tmp_path: Path) -> None:
    paths = [*save(tmp_path, (0, 1, 2)), *save(tmp_path, (0, 255), ending="jpg")]
    with pytest.raises(DataError, match=r"0.jpg: is JPEG.*Save masks of several classes as PNG"):
        mask_classes(paths, where=tmp_path)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_mask_is_named(tmp_path: Path, workers: int) -> None:
    paths = save(tmp_path, (0, 1), (0, 1))
    paths[1].write_bytes(paths[1].read_bytes()[:45])
    with pytest.raises(
        DataError, match=r"1.png: is damaged or truncated.*Replace the mask, or remove"
    ):
        mask_classes(paths, where=tmp_path, workers=workers)
