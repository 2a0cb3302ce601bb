from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medistill.bundle.decisions import Decisions
from medistill.core.errors import DataError
from medistill.evaluate.decisions import Answers, Rules, fit_decisions
from medistill.evaluate.operating import Wish


def answers(count: int = 200, seed: int = 0) -> Answers:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    honest = np.stack([np.zeros(count), random.normal(size=count) + 2 * labels - 1], axis=1)
    return Answers(
        logits=5 * honest,
        labels=labels,
        groups=[f"{seed}-{n}" for n in range(count)],
        features=random.normal(size=(count, 6)) + labels[:, None],
    )


def test_everything_is_fitted_and_the_temperature_comes_before_the_thresholds() -> None:
    rules = Rules(wish=Wish(rule="sensitivity", value=0.9))
    found = fit_decisions(
        answers(),
        task="single-label",
        classes=["well", "ill"],
        rules=rules,
        known=answers(seed=1),
    )
    assert 2 < found.calibration.temperature < 5
    # On overconfident probabilities the same wish would have another threshold.
    assert 0.1 < found.thresholds["ill"] < 0.5
    assert found.decisions.choice is not None
    assert found.decisions.conformal is not None
    assert found.decisions.trust is not None
    assert found.decisions.trust.features is not None
    assert len(found.decisions.trust.features.means) == 2
    assert found.decisions.refusals == {}


def test_what_is_too_little_is_missing_with_its_reason() -> None:
    found = fit_decisions(
        answers(8),
        task="single-label",
        classes=["well", "ill"],
        rules=Rules(wish=Wish(rule="youden")),
        word="patient",
    )
    assert found.thresholds == {}
    assert found.decisions == Decisions(refusals=found.decisions.refusals)
    assert set(found.decisions.refusals) == {"calibration", "thresholds", "conformal", "trust"}
    assert all("too few groups" in text for text in found.decisions.refusals.values())


def test_masks_get_a_temperature_and_a_gate() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, size=(30, 8, 8))
    logits = random.normal(size=(30, 2, 8, 8)) + np.moveaxis(np.eye(2)[labels], -1, 1)
    given = Answers(logits=3 * logits, labels=labels, groups=[str(n) for n in range(30)])
    found = fit_decisions(given, task="segmentation", classes=["other", "polyp"], rules=Rules())
    assert found.calibration.temperature != 1.0
    assert found.decisions.trust is not None
    assert found.decisions.conformal is None


def test_answers_that_do_not_fit_together_are_refused() -> None:
    good = answers()
    with pytest.raises(DataError, match="lengths differ"):
        replace(good, groups=["a"])
    with pytest.raises(DataError, match="not a finite number"):
        replace(good, logits=good.logits * np.nan)
