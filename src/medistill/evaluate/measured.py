"""Several measures of several models on the same images, with intervals and paired differences.

For tasks whose measures are functions of rows of images: labels that are not exclusive, masks.
Groups are drawn with replacement within each fold, and a measure is averaged over folds.

Dimension key: N images, M measures, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medistill.evaluate.arrays import Floats, Ints
from medistill.evaluate.intervals import Estimate, Scale, Support, estimate_with_interval

#: From rows (n,), repeated as they were drawn, to the measures (M,); NaN where undefined.
Measure = Callable[[Ints], Floats]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which images belong together.

    Attributes:
        groups: group name of each of the N images.
        folds: fold of each image; a group is never in two.
        word: what a group is called.
    """

    groups: Sequence[str]
    folds: Sequence[int]
    word: str

    def draws(self, *, resamples: int, seed: int) -> list[list[Ints]]:
        """R times the rows of each fold, its groups drawn with replacement."""
        random = np.random.Generator(np.random.Philox(key=seed))
        members = [self._members(fold) for fold in sorted(set(self.folds))]
        drawn = []
        for _ in range(resamples):
            picks = [random.integers(len(groups), size=len(groups)) for groups in members]
            drawn.append(
                [
                    np.concatenate([groups[pick] for pick in chosen])
                    for groups, chosen in zip(members, picks, strict=True)
                ]
            )
        return drawn

    def whole(self) -> list[Ints]:
        """The rows of each fold, as they are."""
        return [np.concatenate(self._members(fold)) for fold in sorted(set(self.folds))]

    def _members(self, fold: int) -> list[Ints]:
        found: dict[str, list[int]] = {}
        for row, (group, where) in enumerate(zip(self.groups, self.folds, strict=True)):
            if where == fold:
                found.setdefault(group, []).append(row)
        return [np.asarray(rows, dtype=np.int64) for rows in found.values()]


def measure_models(
    models: Mapping[str, Measure],
    names: Sequence[str],
    layout: Layout,
    *,
    scales: Mapping[str, Scale] | None = None,
    carriers: Mapping[str, int] | None = None,
    pairs: Sequence[tuple[str, str]] = (("student", "control"), ("student", "teacher")),
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[dict[str, dict[str, Estimate]], dict[str, dict[str, Estimate]]]:
    """Every measure of every model, and of pairs of models the difference, under one resampling.

    Args:
        models: the measures by model.
        names: of the M measures.
        layout: groups and folds of the images.
        scales: range of a measure; ``unit`` where nothing is said.
        carriers: groups that carry a measure's information; all groups where nothing is said.
        pairs: first minus second is taken, where both are there.
        resamples: R.
        seed: of the resampling.

    Returns:
        Estimates by model and measure; differences by ``first_minus_second`` and measure.
    """
    drawn, whole = layout.draws(resamples=resamples, seed=seed), layout.whole()
    values = {model: _over_folds(measure, whole) for model, measure in models.items()}
    sampled = {
        model: np.stack([_over_folds(measure, rows) for rows in drawn])
        for model, measure in models.items()
    }
    supports = _supports(names, layout, carriers or {})
    ranges: list[Scale] = [(scales or {}).get(name, "unit") for name in names]
    differ: list[Scale] = ["difference"] * len(names)
    single = {
        model: _estimates(names, values[model], sampled[model], ranges, supports)
        for model in models
    }
    differences = {
        f"{a}_minus_{b}": _estimates(
            names, values[a] - values[b], sampled[a] - sampled[b], differ, supports
        )
        for a, b in pairs
        if a in models and b in models
    }
    return single, differences


def _supports(names: Sequence[str], layout: Layout, carriers: Mapping[str, int]) -> list[Support]:
    groups, folds = len(set(layout.groups)), len(set(layout.folds))
    return [
        Support(carriers=carriers.get(name, groups), groups=groups, folds=folds, word=layout.word)
        for name in names
    ]


def _estimates(
    names: Sequence[str],
    values: Floats,
    sampled: Floats,
    scales: Sequence[Scale],
    supports: Sequence[Support],
) -> dict[str, Estimate]:
    return {
        name: estimate_with_interval(
            float(values[m]), sampled[:, m], scale=scales[m], support=supports[m]
        )
        for m, name in enumerate(names)
    }


def verdict(difference: Estimate, *, better: str = "higher") -> str:
    """``better``, ``worse`` or ``undecided``, by the interval of first minus second."""
    if difference.low is None or difference.high is None:
        return "undecided"
    up, down = difference.low > 0, difference.high < 0
    if not (up or down):
        return "undecided"
    return "better" if up == (better == "higher") else "worse"


def _over_folds(measure: Measure, rows_by_fold: Sequence[Ints]) -> Floats:
    return np.asarray(np.mean([measure(rows) for rows in rows_by_fold], axis=0), dtype=np.float64)
