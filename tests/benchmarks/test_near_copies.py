"""The benchmark of near copies finds what is the same and not what is another picture."""

from __future__ import annotations

import numpy as np

from benchmarks.near_copies import CHANGES, found
from medistill.check.reduction import small_picture
from tests.unit.data.pictures import smooth_picture


def test_pictures_and_strangers_are_told_apart() -> None:
    pictures = [smooth_picture(number, 96).convert("L") for number in range(6)]
    whole = np.stack([small_picture(np.asarray(image)) for image in pictures])
    assert found(whole, whole).all()
    assert not found(whole, whole[::-1]).any()


def test_changes_keep_gray_pictures() -> None:
    image = smooth_picture(0, 100).convert("L")
    sizes = {name: change(image).size for name, change in CHANGES.items()}
    assert sizes["half the size"] == (50, 50)
    assert sizes["cut by 5 % on all sides"] == (90, 90)
    assert sizes["cut by 2 % left and top"] == (98, 98)
