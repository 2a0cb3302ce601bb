"""Which scores are better."""

from __future__ import annotations

import pytest

from medistill.train.selection import is_better
from medistill.train.settings import SelectBy
from tests.unit.train.small import NAN


@pytest.mark.parametrize(
    ("new", "old", "by", "better"),
    [
        ((0.8, 9.0), (0.7, 1.0), "auroc", True),
        ((0.7, 1.0), (0.8, 9.0), "auroc", False),
        ((0.8, 1.0), (0.8, 2.0), "auroc", True),
        ((0.8, 2.0), (0.8, 2.0), "auroc", False),
        ((0.1, 1.0), (0.9, 2.0), "loss", True),
        ((0.9, 2.0), (0.1, 2.0), "loss", False),
        ((NAN, 1.0), (0.1, 2.0), "auroc", False),
        ((0.1, 2.0), (NAN, 1.0), "auroc", True),
        ((NAN, 1.0), (NAN, 2.0), "auroc", True),
        ((0.9, NAN), (0.9, 2.0), "loss", False),
    ],
)
def test_better(
    new: tuple[float, float], old: tuple[float, float], by: SelectBy, better: bool
) -> None:
    names = ("auroc", "loss")
    assert (
        is_better(dict(zip(names, new, strict=True)), dict(zip(names, old, strict=True)), by=by)
        is better
    )


def test_anything_is_better_than_nothing() -> None:
    assert is_better({"auroc": NAN, "loss": NAN}, None, by="auroc")


def test_without_labels_the_later_checkpoint_is_always_taken() -> None:
    assert is_better({}, {}, by="last")
