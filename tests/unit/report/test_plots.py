from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from medistill.report import plots

ILL = "<b>ill</b> & $x$"


def test_forest_says_every_figure(metrics):
    text = plots.forest(metrics, "auroc")
    assert "teacher 0.900 (95 % interval 0.850 to 0.950)" in text
    assert "higher is better" in text
    assert "lower is better" in plots.forest(metrics, "calibration_error")


def test_forest_with_missing_figures(metrics):
    metrics["models"]["student"]["overall"]["auroc"] = {
        "estimate": None, "low": None, "high": None, "reason": "a class is absent",
        "undefined_resamples": 9,
    }  # fmt: skip
    metrics["models"]["control"] = None
    text = plots.forest(metrics, "auroc")
    assert "student a class is absent" in text
    assert "control" not in text


def test_curves_are_named_and_coloured(metrics):
    for paint in (plots.roc, plots.precision_recall):
        text = paint(metrics, ILL)
        for role in ("teacher", "student", "control"):
            assert f"var(--{role})" in text
            assert f">{role}<" in text
    assert "guessing gives 0.50" in plots.precision_recall(metrics, ILL)


@pytest.mark.parametrize("prevalence", [0.05, 0.25, 0.9])
def test_the_legend_lies_on_no_precision_recall_curve(metrics, monkeypatch, prevalence):
    recall = np.linspace(0, 1, 60)
    for n, model in enumerate(metrics["models"].values()):
        precision = np.clip(prevalence + 0.02 * n + 0.4 * (1 - recall) ** 8, 0, 1)
        model["precision_recall"][ILL] = {"recall": recall, "precision": precision}
    metrics["counts"]["images_per_class"][ILL] = round(100 * prevalence)
    painted = []
    monkeypatch.setattr(plots, "draw", lambda paint, **_: painted.append(paint))
    plots.precision_recall(metrics, ILL)
    figure = Figure(figsize=(3.3, 3.1), layout="constrained")
    axes = figure.subplots()
    painted[0](axes)
    figure.canvas.draw()
    legend = axes.get_legend().get_window_extent()
    for line in axes.get_lines():
        x, y = line.get_data()
        dense = np.linspace(0, 1, 500)
        points = axes.transData.transform(np.column_stack([dense, np.interp(dense, x, y)]))
        assert not any(legend.contains(*point) for point in points)


def test_an_undefined_curve_is_said(metrics):
    for model in metrics["models"].values():
        model["roc"][ILL] = None
    assert "no model, because a class is absent" in plots.roc(metrics, ILL)


def test_reliability_shows_error_and_chance(metrics):
    text = plots.reliability(metrics, "student", "all")
    assert "error 0.094" in text  # .6 |.30 - .23| + .4 |.70 - .83|
    assert "by chance 0.031" in text
    assert "0.23: 0.30, 0.83: 0.70" in text


def test_seeds_and_learning(metrics):
    text = plots.seed_spread(metrics)
    assert "control 0.830, 0.840; student 0.870, 0.860" in text
    loss = plots.losses("student", [1, 2], {"total": [1.5, 0.75], "soft": [1.0, 0.5]})
    assert "over 2 epochs; at the end total 0.750, soft 0.500" in loss
    score = plots.selection({"student": ([1, 2], [0.6, float("nan")])}, "AUROC")
    assert "student at best 0.600" in score
