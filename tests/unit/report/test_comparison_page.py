from __future__ import annotations

from pathlib import Path

import numpy as np

from medistill.evaluate.predictions import Predictions
from medistill.evaluate.several import compare_models
from medistill.report.comparison_page import comparison_text, write_comparison


def table(seed: int, skill: float) -> Predictions:
    labels = np.arange(120) % 2
    chance = 1 / (
        1 + np.exp(-np.random.default_rng(seed).normal(size=120) - skill * (labels - 0.5))
    )
    names = [str(n) for n in range(120)]
    chances = np.stack([1 - chance, chance], axis=1)
    return Predictions(names=names, groups=names, labels=labels, probabilities=chances)


def test_text_and_page_say_the_same(tmp_path: Path) -> None:
    models = {
        "<one>": {"student": [table(1, 1.0), table(2, 1.0)], "control": [table(3, 3.0)]},
        "two": {"student": [table(4, 2.0)]},
    }
    found = compare_models(models, classes=["a", "b"], word="image", resamples=200, flips=200)
    text = comparison_text(found)
    assert "two has no control" in text
    assert "2 seeds" in text
    assert "or of the interval where a metric is no sum over groups" in " ".join(text.split())
    assert text.count("figures are of each run's first training seed") == 2
    assert "two student minus <one> student" in text
    assert text.startswith("<one>: The student serves")
    write_comparison(tmp_path / "c.html", found)
    page = (tmp_path / "c.html").read_text()
    assert "&lt;one&gt;: student" in page
    assert "<one>" not in page
    assert "://" not in page


def test_of_single_seeds_nothing_is_said_of_a_first_one() -> None:
    models = {"one": {"student": [table(1, 1.0)], "control": [table(3, 3.0)]}}
    found = compare_models(models, classes=["a", "b"], word="image", resamples=200, flips=200)
    assert "first training seed" not in comparison_text(found)
