"""Chooses the operating point on the part *calibrate*: for a wish, by Youden, or by cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.thresholds import Rule, ThresholdChoice, positive_score
from medistill.core.counting import plural
from medistill.core.errors import RecipeError
from medistill.core.types import Task
from medistill.evaluate.arrays import Floats
from medistill.evaluate.intervals import FEWEST_GROUPS
from medistill.evaluate.one_per_group import groups_among

_WISHES = {"sensitivity": (0.0, 1.0), "specificity": (0.0, 1.0), "cost": (0.0, np.inf)}


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What an operating point shall achieve.

    Attributes:
        rule: ``sensitivity``, ``specificity``, ``youden`` or ``cost``.
        value: the wished sensitivity or specificity in (0, 1), or how many false alarms a miss
            costs, above 0; None for ``youden``.
        positive: class that it is about; None for the last of two classes.

    Raises:
        RecipeError: a value that the rule cannot have.
    """

    rule: Rule
    value: float | None = None
    positive: str | None = None

    def __post_init__(self) -> None:
        low, high = _WISHES.get(self.rule, (0.0, 0.0))
        proper = self.value is None if self.rule == "youden" else self.value is not None
        if proper and (self.value is None or low < self.value < high):
            return
        cure = "Give none." if self.rule == "youden" else f"Give a value between {low:g}, {high:g}."
        what = f"{self.value!r} does not go with the rule '{self.rule}'"
        raise RecipeError(where="decide.wished", what=what, cure=cure)


def threshold_for(wish: Wish, scores: Floats, positive: NDArray[np.bool_]) -> float | None:
    """The threshold t, in (0, 1), whose rule "positive where score >= t" fits the wish best.

    Thresholds lie midway between neighbouring scores, 0 and 1; of equals the one nearest 0.5 is
    taken. ``sensitivity``: the largest t that keeps it; ``specificity``: the smallest.

    Args:
        wish: rule and value.
        scores: (N,) in [0, 1].
        positive: (N,) truth; both answers occur.

    Returns:
        None where no threshold keeps what is wished: too many positives score 0, or negatives 1.
    """
    limits = _limits(scores)
    hits = _share_at_least(scores[positive], limits)
    quiet = 1 - _share_at_least(scores[~positive], limits)
    if wish.rule in ("sensitivity", "specificity"):
        kept = limits[(hits if wish.rule == "sensitivity" else quiet) >= (wish.value or 0) - 1e-12]
        best = kept[-1:] if wish.rule == "sensitivity" else kept[:1]
        return float(best[0]) if best.size else None
    gain = hits + quiet
    if wish.rule == "cost":
        gain = -float(wish.value or 0) * (1 - hits) * positive.sum()
        gain = gain - (1 - quiet) * (~positive).sum()
    best = limits[gain >= gain.max() - 1e-12]
    return float(best[np.abs(best - 0.5).argmin()])


def _limits(scores: Floats) -> Floats:
    """Midway between neighbouring scores, 0 and 1, in order; those that ``decide`` can take.

    It takes t and 1 - t, which must both lie between 0 and 1 in float64.
    """
    order = np.unique(np.concatenate([[0.0], scores, [1.0]]))
    middle = (order[1:] + order[:-1]) / 2
    return np.asarray(middle[(middle > 0) & (middle < 1) & (1 - middle < 1)])


def choose_thresholds(
    chances: Floats,
    labels: NDArray[np.generic],
    groups: Sequence[str],
    *,
    task: Task,
    classes: Sequence[str],
    wish: Wish | None,
    word: str = "group",
) -> tuple[dict[str, float], ThresholdChoice | None, dict[str, str]]:
    """Thresholds for ``bundle.calibration.decide``, how they were chosen, and why any is missing.

    Ten groups with and ten without the class are needed, and a threshold that keeps what is
    wished; a label of multi-label without them keeps 0.5.

    Args:
        chances: (N, K) calibrated probabilities.
        labels: class numbers (N,); for multi-label (N, K) of 0, 1 and NaN where unknown.
        groups: group of each image, length N.
        task: what the labels are; masks keep the most probable class.
        classes: names in the order of the columns.
        wish: what is wished; None keeps the most probable class (or 0.5 a label).
        word: what a group is called.

    Raises:
        RecipeError: the wish names no class, or must and does not.
    """
    if wish is None:
        return {}, None, {}
    if task == "segmentation":
        return {}, None, {"thresholds": "a mask takes the most probable class of each pixel"}
    if task == "multi-label":
        return _of_labels(chances, np.asarray(labels, np.float64), groups, classes, wish, word)
    column = positive_class(wish.positive, classes)
    positive = np.asarray(labels, np.int64) == column
    scores = positive_score(chances, column)
    limit, reason = _limit(wish, scores, positive, groups, word)
    if limit is None:
        return {}, None, {"thresholds": reason}
    thresholds = {name: limit if k == column else 1 - limit for k, name in enumerate(classes)}
    return thresholds, _choice(wish, classes[column], groups), {}


def _of_labels(
    chances: Floats,
    labels: Floats,
    groups: Sequence[str],
    classes: Sequence[str],
    wish: Wish,
    word: str,
) -> tuple[dict[str, float], ThresholdChoice | None, dict[str, str]]:
    thresholds, reasons = {}, {}
    for column, name in enumerate(classes):
        rows = np.flatnonzero(np.isfinite(labels[:, column]))
        positive, own = labels[rows, column] > 0.5, [groups[row] for row in rows.tolist()]
        limit, reason = _limit(wish, chances[rows, column], positive, own, word)
        thresholds[name] = 0.5 if limit is None else limit
        if limit is None:
            reasons[f"thresholds.{name}"] = reason
    return thresholds, _choice(wish, None, groups), reasons


def _choice(wish: Wish, positive: str | None, groups: Sequence[str]) -> ThresholdChoice:
    return ThresholdChoice(
        rule=wish.rule,
        wished=wish.value,
        positive=positive,
        images=len(groups),
        groups=len(set(groups)),
    )


def positive_class(named: str | None, classes: Sequence[str]) -> int:
    """Number of the class that an operating point is about: the named one, or the last of two.

    Raises:
        RecipeError: there is none of that name, or more than two and none named.
    """
    if named is not None and named in classes:
        return list(classes).index(named)
    if named is None and len(classes) == 2:
        return 1
    what = "no class is named" if named is None else f"no class is called '{named}'"
    cure = f"Name one of {', '.join(classes)}."
    raise RecipeError(where="decide.positive", what=what, cure=cure)


def _limit(
    wish: Wish, scores: Floats, positive: NDArray[np.bool_], groups: Sequence[str], word: str
) -> tuple[float | None, str]:
    """The threshold of one class, or None and why there is none."""
    few = too_few(positive, groups, word)
    limit = None if few else threshold_for(wish, scores, positive)
    return limit, few or f"no threshold keeps a {wish.rule} of {wish.value or 0:g}"


def too_few(positive: NDArray[np.bool_], groups: Sequence[str], word: str) -> str | None:
    """Why neither a threshold nor a temperature is fitted: under ten groups give one answer."""
    for chosen, what in ((positive, "with"), (~positive, "without")):
        count = groups_among(groups, np.flatnonzero(chosen))
        if count < FEWEST_GROUPS:
            return f"too few groups ({plural(word, count)} {what} the class)"
    return None


def _share_at_least(scores: Floats, limits: Floats) -> Floats:
    ordered = np.sort(scores)
    return np.asarray(1 - np.searchsorted(ordered, limits, side="left") / ordered.size)
