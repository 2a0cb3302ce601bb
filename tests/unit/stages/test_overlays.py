"""Overlays show what the models saw: in the window of the recipe, slice by slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

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
    slices = {f"{number + 2:04d}-b-axial{number:05d}" for number in range(DEPTH)}
    assert names == {"0001-a", *slices}
    for found, right in zip(_pixels(shown), _pixels(expected), strict=True):
        np.testing.assert_allclose(found, right, atol=2)
