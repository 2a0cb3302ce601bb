"""Four parts of a set, disjoint by group: fit, select, calibrate, evaluate.

A group (patient, study, article, cluster of near-duplicates) is never cut, and every part has
about the same share of each class (scikit-learn's ``StratifiedGroupKFold``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from medistill.core.counting import plural
from medistill.core.errors import DataError
from medistill.core.types import PART_NAMES, ImageSet, PartName, Parts
from medistill.data.grouped_folds import GroupedFolds
from medistill.data.strata import check_classes, labelled_rows, smallest_spread, strata

Rows = tuple[int, ...]

#: Share of the set that each part but *fit* receives where the layout does not say.
FRACTIONS: Mapping[PartName, float] = MappingProxyType(
    {"select": 0.15, "calibrate": 0.15, "evaluate": 0.2}
)


def holdout_parts(
    images: ImageSet, *, seed: int, fractions: Mapping[PartName, float] = FRACTIONS
) -> Parts:
    """Parts that respect a published split.

    A layout's own test is *evaluate*, else its own val is; with both, val is *select*. What the
    layout does not give is cut from its train by group. Rows of train whose group also lies in a
    published part are left out of every part: :func:`conflicting_rows` names them. Unlabelled
    images are in no part.

    Args:
        images: the set.
        seed: decides the cuts; the same seed gives the same parts.
        fractions: share of the labelled images for ``select``, ``calibrate`` and ``evaluate``.

    Raises:
        DataError: one class only, a class absent from a part, or too few groups.
    """
    rows = labelled_rows(images)
    published = _published(images, rows)
    dropped = set(conflicting_rows(images)).union(*published.values())
    pool = tuple(row for row in rows if row not in dropped)
    wanted = {name: fractions[name] for name in PART_NAMES[1:] if name not in published}
    parts = published | _cut_all(images, pool, wanted, total=len(rows), seed=seed)
    return _checked(images, parts)


def fold_parts(
    images: ImageSet,
    *,
    folds: int,
    fold: int,
    seed: int,
    fractions: Mapping[PartName, float] = FRACTIONS,
) -> Parts:
    """Parts of one fold of a nested, grouped K-fold over all images; published splits are ignored.

    *evaluate* is fold ``fold``; *select* and *calibrate* are cut by group from the rest. Every
    labelled image is in *evaluate* of exactly one fold.

    Args:
        images: the set.
        folds: how many folds, at least 2.
        fold: which one, from 0.
        seed: decides the folds and the cuts.
        fractions: share of the labelled images for ``select`` and ``calibrate``.

    Raises:
        DataError: fewer groups than folds, no such fold, one class only, or a class absent from a
            part.
    """
    if not 0 <= fold < folds:
        raise DataError(
            where=images.root,
            what=f"fold {fold} is asked of {folds} folds",
            cure=f"Choose a fold from 0 to {folds - 1}.",
        )
    by_row = cross_folds(images, labelled_rows(images), folds=folds, seed=seed)
    evaluate = tuple(row for row in by_row if by_row[row] == fold)
    rest = tuple(row for row in by_row if by_row[row] != fold)
    wanted: dict[PartName, float] = {
        "select": fractions["select"],
        "calibrate": fractions["calibrate"],
    }
    inner = _cut_all(images, rest, wanted, total=len(by_row), seed=_derived(seed, fold))
    return _checked(images, {"evaluate": evaluate, **inner})


def cross_folds(images: ImageSet, rows: Sequence[int], *, folds: int, seed: int) -> dict[int, int]:
    """Fold of each row, by group and stratified by label, for example for cross-fitted teachers.

    Args:
        images: the set.
        rows: labelled rows of ``images.samples``.
        folds: how many folds, at least 2.
        seed: decides the folds.

    Returns:
        From row to its fold in ``range(folds)``, in ascending order of rows.

    Raises:
        DataError: fewer groups than folds, over all or in one class, or fewer than 2 folds.
    """
    rows = tuple(sorted(rows))
    check_folds(images, rows, folds)
    split = _grouped_folds(images, rows, folds, seed)
    found = {row: number for number, members in enumerate(split) for row in members}
    return dict(sorted(found.items()))


def cut_part(
    images: ImageSet, rows: Sequence[int], *, share: float, seed: int
) -> tuple[Rows, Rows]:
    """Cut about ``share`` of some rows off, by group and stratified by label.

    Returns:
        What is left and what was cut, each in ascending order.

    Raises:
        DataError: too few groups in one class.
    """
    pool = tuple(sorted(rows))
    cut = _cut(images, pool, share, seed=seed)
    return _without(pool, cut), tuple(sorted(cut))


def conflicting_rows(images: ImageSet) -> Rows:
    """Rows that the published split leaks: their group also lies in a part with precedence.

    The published test goes before the published val, and that before train.
    """
    splits = tuple(_published_splits(images).values())
    ranks = [_rank(sample.split, splits) for sample in images.samples]
    best: dict[str, int] = {}
    for sample, rank in zip(images.samples, ranks, strict=True):
        best[sample.group] = min(rank, best.get(sample.group, rank))
    leaked = (row for row, s in enumerate(images.samples) if ranks[row] > best[s.group])
    return tuple(leaked)


def _published_splits(images: ImageSet) -> dict[PartName, str]:
    """The parts that the layout gives, as the name of its split, by precedence."""
    have = {sample.split for sample in images.samples}
    if "test" in have:
        return {"evaluate": "test", "select": "val"} if "val" in have else {"evaluate": "test"}
    return {"evaluate": "val"} if "val" in have else {}


def _rank(split: str | None, splits: tuple[str, ...]) -> int:
    return splits.index(split) if split in splits else len(splits)


def _published(images: ImageSet, rows: Rows) -> dict[PartName, Rows]:
    leaked = set(conflicting_rows(images))
    return {
        part: tuple(r for r in rows if images.samples[r].split == split and r not in leaked)
        for part, split in _published_splits(images).items()
    }


def _cut_all(
    images: ImageSet, pool: Rows, fractions: Mapping[PartName, float], *, total: int, seed: int
) -> dict[PartName, Rows]:
    """Cut each wanted part from the pool; what is left is *fit*."""
    parts: dict[PartName, Rows] = {}
    # The part on which results are judged is cut first, from the most groups.
    order = sorted(fractions, key=PART_NAMES.index, reverse=True)
    for step, name in enumerate(order):
        share = min(0.5, fractions[name] * total / max(1, len(pool)))
        parts[name] = _cut(images, pool, share, seed=_derived(seed, step))
        pool = _without(pool, parts[name])
    parts["fit"] = pool
    return parts


def _without(pool: Rows, cut: Rows) -> Rows:
    gone = set(cut)
    return tuple(row for row in pool if row not in gone)


def _cut(images: ImageSet, pool: Rows, share: float, *, seed: int) -> Rows:
    """The fold of the pool whose share of each class is nearest to ``share``."""
    spread, scarce = smallest_spread(images, pool)
    if spread < 2:
        raise DataError(
            where=images.root,
            what=f"{scarce} lies in too few groups ({images.group_word}) for four parts",
            cure="Add images of other groups, use fewer folds, or drop the class.",
        )
    folds = max(2, min(round(1 / share), spread))
    label = dict(zip(pool, strata(images, pool, folds), strict=True))
    counts = Counter(label.values())

    def distance(rows: Rows) -> float:
        held = Counter(label[row] for row in rows)
        shares = [held[value] / count for value, count in counts.items()]
        # A class that would be absent weighs more than any imbalance.
        return sum(abs(found - share) + float(found == 0) for found in shares)

    return min(_grouped_folds(images, pool, folds, seed), key=distance)


def _grouped_folds(images: ImageSet, rows: Rows, folds: int, seed: int) -> list[Rows]:
    splitter = GroupedFolds(n_splits=folds, shuffle=True, random_state=seed)
    groups = [images.samples[row].group for row in rows]
    found = splitter.split(np.zeros(len(rows)), strata(images, rows, folds), groups)
    return [tuple(rows[position] for position in held) for _, held in found]


def check_folds(images: ImageSet, rows: Rows, folds: int) -> None:
    """Refuse more folds than the set, or one of its classes, has groups.

    Raises:
        DataError: names what has too few.
    """
    groups = len({images.samples[row].group for row in rows})
    spread, scarce = smallest_spread(images, rows)
    found, of = (groups, "the set") if groups < folds else (spread, scarce)
    if folds < 2 or found < folds:
        raise DataError(
            where=images.root,
            what=f"{of} has {plural('group', found)} ({images.group_word}) for {folds} folds",
            cure="Use at least 2 folds and at most as many as there are groups in each class.",
        )


def _checked(images: ImageSet, parts: Mapping[PartName, Rows]) -> Parts:
    check_classes(images, parts)
    ordered = {name: tuple(sorted(parts[name])) for name in PART_NAMES}
    return Parts(**ordered)


def _derived(seed: int, step: int) -> int:
    """Another seed for each step, so that no two cuts share their shuffle."""
    return int(np.random.SeedSequence((seed, step)).generate_state(1)[0])
