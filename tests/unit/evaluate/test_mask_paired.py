"""P-values of masks, against every exchange made by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from medistill.evaluate.mask_paired import mask_p_values
from medistill.evaluate.mask_scores import MaskScores
from tests.unit.evaluate.label_tables import mask_table


def exchanged(first: MaskScores, second: MaskScores, groups: np.ndarray) -> float:
    swapped = groups[first.group_index].astype(bool)[:, None, None]
    pair = (
        np.where(swapped, second.overlaps, first.overlaps),
        np.where(swapped, first.overlaps, second.overlaps),
    )
    means = [np.nanmean(values[..., 0], axis=0).mean() for values in pair]
    return float(means[0] - means[1])


def test_all_exchanges_of_few_groups() -> None:
    first = mask_table(images=12, groups=6, noise=1.2)
    second = mask_table(images=12, groups=6, noise=2.0, model=1)
    every = [exchanged(first, second, np.array(g)) for g in product((0, 1), repeat=6)]
    observed = abs(exchanged(first, second, np.zeros(6)))
    exact = np.mean([abs(value) >= observed - 1e-12 for value in every])
    found = mask_p_values(first, second, flips=20_000, seed=0)["dice"][0]
    assert found == pytest.approx(exact, abs=0.01)


def test_a_better_model_is_seen_and_an_equal_one_is_not() -> None:
    good, bad = mask_table(noise=0.8), mask_table(noise=3.0, model=1)
    found = mask_p_values(good, bad, flips=2000, seed=0)
    assert set(found) == set(good.metrics)
    assert max(found["dice"][0], *found["class_dice"], found["brier"][0]) < 0.01
    assert found["calibration_error"] == [None]
    assert mask_p_values(good, good, flips=500, seed=0)["dice"] == [1.0]
