from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.coverage import NAMES, World, singles
from benchmarks.coverage_plot import conformal_coverage, draw, interval_coverage


def test_below_the_floor_there_are_no_sets_and_above_it_they_hold() -> None:
    assert conformal_coverage(8, 0.9, 5) is None
    assert conformal_coverage(18, 0.95, 5) is None
    share = conformal_coverage(19, 0.95, 40)
    assert share is not None
    assert share > 0.93


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    found = interval_coverage(2)
    assert found["auroc", 0.9][0] == (5, None)
    draw(found, tmp_path / "coverage.svg")
    assert (tmp_path / "coverage.svg").stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.parametrize("groups", [40, 80])
@pytest.mark.parametrize("truth", [0.7, 0.9])
@pytest.mark.parametrize("name", ["auroc", "accuracy", "balanced_accuracy"])
def test_intervals_hold_the_truth(name: str, truth: float, groups: int) -> None:
    names = NAMES[:1] if name == "auroc" else NAMES[1:]
    tally = singles(names, truth, World(groups=groups, images=1), 1000)[name]
    # 93 to 97 %, with two standard errors of 1,000 simulations.
    assert 0.916 <= tally.held / tally.given <= 0.984


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize("groups", [20, 40, 80])
def test_sets_hold_the_truth(level: float, groups: int) -> None:
    share = conformal_coverage(groups, level, 1000)
    assert share is not None
    assert level - 0.005 <= share <= level + 1 / (groups + 1) + 0.005
