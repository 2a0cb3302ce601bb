"""Fits everything that decides, from a graph's or a network's answers on *calibrate*."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.calibration import Calibration, probabilities
from medistill.bundle.decisions import Decisions
from medistill.bundle.trust import FeatureDistance
from medistill.core.errors import DataError
from medistill.core.types import Task
from medistill.evaluate.arrays import Floats
from medistill.evaluate.conformal import fit_conformal
from medistill.evaluate.operating import Wish, choose_thresholds
from medistill.evaluate.temperature import fit_calibration
from medistill.evaluate.trust import fit_trust, known_features


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What a model said of N labelled images.

    Attributes:
        logits: (N, K), or (N, K, H, W) for masks; before any temperature.
        labels: class numbers (N,), or (N, H, W) for masks; for multi-label (N, K) of 0, 1 and
            NaN where unknown.
        groups: group of each image.
        features: (N, D) pooled features, or None.

    Raises:
        DataError: lengths differ, or a logit or feature is not a finite number.
    """

    logits: Floats
    labels: NDArray[np.generic]
    groups: Sequence[str]
    features: Floats | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.logits), len(self.labels), len(self.groups)}
        if self.features is not None:
            lengths.add(len(self.features))
        finite = np.isfinite(self.logits).all()
        if self.features is not None:
            finite = finite and np.isfinite(self.features).all()
        if len(lengths) == 1 and finite:
            return
        what = "a logit is not a finite number" if len(lengths) == 1 else "lengths differ"
        raise DataError(where="calibrate", what=what, cure="Ask the model again, image by image.")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What shall be decided.

    Attributes:
        wish: operating point; None says the most probable class (multi-label: 0.5).
        coverage: of prediction sets, in (0, 1).
        false_alarms: share of known images that the gate may stop, in (0, 1).
    """

    wish: Wish | None = None
    coverage: float = 0.9
    false_alarms: float = 0.05


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The three fields of a bundle's graph that are fitted.

    Attributes:
        calibration: temperatures.
        thresholds: operating point by class name; empty, or every class.
        decisions: the rest, with the reasons for what is missing.
    """

    calibration: Calibration = field(default_factory=Calibration)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    decisions: Decisions = field(default_factory=Decisions)


def fit_decisions(
    calibrate: Answers,
    *,
    task: Task,
    classes: Sequence[str],
    rules: Rules,
    known: Answers | None = None,
    word: str = "group",
) -> Fitted:
    """Temperature, thresholds, prediction sets and gate, each from what the one before gives.

    Args:
        calibrate: answers on the part *calibrate*.
        task: what the labels are.
        classes: names in the order of the logits.
        rules: what is wished.
        known: answers on the part *fit*, with features: where known features lie; None for a
            gate on logits alone. Never *calibrate* itself, whose limit would then be too small.
        word: what a group is called.

    Returns:
        What goes into the bundle; what could not be fitted is missing with its reason.
    """
    labels, groups = calibrate.labels, calibrate.groups
    kind = _Kind(task, tuple(classes), word)
    calibration, reasons = fit_calibration(calibrate.logits, labels, groups, **kind._asdict())
    chances = probabilities(calibrate.logits, task=task, calibration=calibration)
    thresholds, choice, of_thresholds = choose_thresholds(
        chances, labels, groups, wish=rules.wish, **kind._asdict()
    )
    conformal, of_sets = fit_conformal(
        chances, labels, groups, level=rules.coverage, **kind._asdict()
    )
    trust, of_trust = fit_trust(
        calibrate.logits,
        groups,
        task=task,
        features=calibrate.features,
        known=_known(known, task),
        false_alarms=rules.false_alarms,
        word=word,
    )
    refusals = {**reasons, **of_thresholds, **of_sets, **of_trust}
    decisions = Decisions(choice=choice, conformal=conformal, trust=trust, refusals=refusals)
    return Fitted(calibration=calibration, thresholds=thresholds, decisions=decisions)


class _Kind(NamedTuple):
    """What every fit is told of the labels."""

    task: Task
    classes: tuple[str, ...]
    word: str


def _known(known: Answers | None, task: Task) -> FeatureDistance | None:
    if known is None or known.features is None:
        return None
    labels = np.asarray(known.labels, np.int64) if task == "single-label" else None
    return known_features(known.features, labels)
