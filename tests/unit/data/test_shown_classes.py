"""Which classes masks show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.data.shown_classes import shown_classes, shown_in_slices
from tests.unit.data.test_nifti_pairs import save


@pytest.mark.parametrize(
    ("values", "classes", "expected"),
    [
        ((0,), 2, (1, 0)),
        ((0, 255), 2, (1, 1)),
        ((65535,), 2, (1, 1)),
        ((0, 2, 255), 4, (1, 0, 1, 0)),
        ((1, 3), 4, (1, 1, 0, 1)),
    ],
)
def test_values_are_classes(
    values: tuple[int, ...], classes: int, expected: tuple[int, ...]
) -> None:
    assert shown_classes(values, classes) == expected


@pytest.mark.parametrize("workers", [0, 1])
def test_slices_are_told_in_their_order(tmp_path: Path, workers: int) -> None:
    for name, classes in (("a", [0, 2, 1]), ("b", [2, 0, 0])):
        labels = np.zeros((2, 4, 3), np.int16)
        labels[0, 3] = classes
        save(tmp_path / f"{name}.nii.gz", labels)
    paths = [tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"]
    found = shown_in_slices(paths, plane="axial", classes=3, workers=workers)
    assert found == [[(1, 0, 0), (1, 0, 1), (1, 1, 0)], [(1, 0, 1), (1, 0, 0), (1, 0, 0)]]
    found = shown_in_slices(paths[:1], plane="coronal", classes=3)
    assert found == [[(1, 0, 0)] * 3 + [(1, 1, 1)]]


def test_a_map_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent.nii: cannot be read"):
        shown_in_slices([tmp_path / "absent.nii"], plane="axial", classes=2)
