"""Images of other kinds are shown in the gray scale that the run was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.stages.data import prepare_data
from medistill.stages.run import open_run
from medistill.stages.strange import strange_sets
from tests.unit.stages.scans import DEPTH, HU, lung, save_ct, save_volume, slice_of


def test_ct_and_volumes_are_read_in_the_window_of_the_recipe(
    finished: Path, tmp_path: Path
) -> None:
    save_ct(tmp_path / "scans/a.dcm")
    save_volume(tmp_path / "scans/b.nii.gz")
    context = open_run(finished)
    sets = dict(strange_sets(context, prepare_data(context), 0, near=[tmp_path / "scans"]))
    pictures, groups, near = sets["scans"]
    assert (len(pictures), len(set(groups)), near) == (1 + DEPTH, 1 + DEPTH, True)
    expected = [lung(HU), *(lung(slice_of(number)) for number in range(DEPTH))]
    for found, shown in zip(pictures, expected, strict=True):
        gray = found if found.ndim == 2 else found[..., 0]
        np.testing.assert_allclose(gray.astype(int), shown.astype(int), atol=1)


def test_a_folder_without_an_image_is_named(finished: Path, tmp_path: Path) -> None:
    context = open_run(finished)
    with pytest.raises(DataError, match="holds no readable image"):
        list(strange_sets(context, prepare_data(context), 0, far=[tmp_path]))
