"""Fits conformal prediction sets on the part *calibrate*, and says how they fared elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.conformal import Conformal, fewest_groups
from medistill.core.counting import plural
from medistill.core.types import Task
from medistill.evaluate.arrays import Floats, Ints
from medistill.evaluate.one_per_group import one_per_group


def fit_conformal(
    chances: Floats,
    labels: NDArray[np.generic],
    groups: Sequence[str],
    *,
    level: float,
    task: Task,
    classes: Sequence[str],
    word: str = "group",
    seed: int = 0,
) -> tuple[Conformal | None, dict[str, str]]:
    """Class-conditional quantiles, or why there are none.

    One image of each group calibrates a class, since images of one group are not independent.
    A class needs ``fewest_groups(level)`` groups. Single-label: one class below that floor refuses
    all sets, for they could not promise anything of it; multi-label: that label alone.

    Args:
        chances: (N, K) calibrated probabilities.
        labels: class numbers (N,); for multi-label (N, K) of 0, 1 and NaN where unknown.
        groups: group of each image, length N.
        level: promised coverage, in (0, 1).
        task: what the labels are; masks are refused, because pixels of an image are dependent.
        classes: names in the order of the columns.
        word: what a group is called.
        seed: of the draw of one image a group.
    """
    if task == "segmentation":
        return None, {"conformal": "pixels of one image are not independent"}
    if task == "multi-label":
        return _fit_labels(chances, np.asarray(labels, np.float64), groups, level, classes, word)
    quantiles, counts, floor = {}, {}, fewest_groups(level)
    for column, name in enumerate(classes):
        rows = one_per_group(groups, np.flatnonzero(np.asarray(labels) == column), seed=seed)
        if rows.size < floor:
            return None, {"conformal": _too_few(name, rows, floor, level, word)}
        quantiles[name] = quantile(1 - chances[rows, column], level)
        counts[name] = int(rows.size)
    return (
        Conformal(level=level, quantiles=quantiles, absent={}, groups=counts, absent_groups={}),
        {},
    )


def quantile(scores: Floats, level: float) -> float:
    """The ceil((n + 1) level)-th smallest of n scores, which must be so many."""
    rank = int(np.ceil(round((scores.size + 1) * level, 9)))
    return float(np.clip(np.sort(scores)[rank - 1], 0.0, 1.0))


def _fit_labels(
    chances: Floats,
    labels: Floats,
    groups: Sequence[str],
    level: float,
    classes: Sequence[str],
    word: str,
) -> tuple[Conformal | None, dict[str, str]]:
    quantiles: dict[str, dict[str, float]] = {"present": {}, "absent": {}}
    counts: dict[str, dict[str, int]] = {"present": {}, "absent": {}}
    reasons, floor = {}, fewest_groups(level)
    for column, name in enumerate(classes):
        answers = {"present": labels[:, column] == 1, "absent": labels[:, column] == 0}
        rows = {key: one_per_group(groups, np.flatnonzero(held)) for key, held in answers.items()}
        short = next((key for key in rows if rows[key].size < floor), None)
        if short is not None:
            reasons[f"conformal.{name}"] = _too_few(short, rows[short], floor, level, word)
            continue
        for key, scores in (("present", 1 - chances[:, column]), ("absent", chances[:, column])):
            quantiles[key][name] = quantile(scores[rows[key]], level)
            counts[key][name] = int(rows[key].size)
    if not quantiles["present"]:
        return None, {**reasons, "conformal": "every label has too few groups"}
    fitted = Conformal(
        level=level,
        quantiles=quantiles["present"],
        absent=quantiles["absent"],
        groups=counts["present"],
        absent_groups=counts["absent"],
    )
    return fitted, reasons


def _too_few(name: str, rows: Ints, floor: int, level: float, word: str) -> str:
    return (
        f"too few groups ({plural(word, int(rows.size))} of '{name}'; "
        f"{level:.0%} needs at least {floor})"
    )
