"""Measures with group intervals, and what they say of pairs."""

from __future__ import annotations

import numpy as np
import pytest

from medistill.evaluate.intervals import Estimate
from medistill.evaluate.measured import Layout, Measure, measure_models, verdict

GROUPS = [f"patient-{i // 3}" for i in range(90)]
LAYOUT = Layout(groups=GROUPS, folds=[0] * 90, word="patient")


def mean_of(values: np.ndarray) -> Measure:
    return lambda rows: np.array([values[rows].mean()])


def test_estimate_is_the_measure_and_its_error_counts_groups() -> None:
    """Images of a group are equal, so the error is that of 30 patients, not of 90 images."""
    values = np.repeat(np.random.default_rng(0).uniform(0.3, 0.7, 30), 3)
    models, _ = measure_models({"student": mean_of(values)}, ["dice"], LAYOUT, resamples=2000)
    found = models["student"]["dice"]
    assert found.estimate == pytest.approx(values.mean())
    error = values[::3].std(ddof=1) / np.sqrt(30)
    assert found.high is not None
    assert found.low is not None
    assert found.high - found.low == pytest.approx(2 * 2.045 * error, rel=0.1)


def test_differences_are_paired() -> None:
    """A constant gain on very different images has no error at all."""
    values = np.random.default_rng(0).uniform(0, 0.5, 90)
    models = {"student": mean_of(values + 0.1 + 1e-3 * values), "control": mean_of(values)}
    _, pairs = measure_models(models, ["dice"], LAYOUT, resamples=500)
    gain = pairs["student_minus_control"]["dice"]
    assert gain.low == pytest.approx(0.1, abs=0.001)
    assert verdict(gain) == "better"
    assert verdict(gain, better="lower") == "worse"


def test_folds_are_averaged_and_drawn_apart() -> None:
    folds = [i // 45 for i in range(90)]
    layout = Layout(groups=GROUPS, folds=folds, word="patient")
    values = np.repeat([0.2, 0.8], 45)
    for rows in layout.draws(resamples=5, seed=0):
        assert [set(values[part]) for part in rows] == [{0.2}, {0.8}]
    models, _ = measure_models({"student": mean_of(values)}, ["dice"], layout, resamples=5)
    assert models["student"]["dice"].estimate == pytest.approx(0.5)


def test_undecided_without_an_interval_or_around_zero() -> None:
    assert verdict(Estimate(estimate=1.0, reason="too few groups")) == "undecided"
    assert verdict(Estimate(estimate=0.1, low=-0.1, high=0.3)) == "undecided"
