"""Several methods and seeds on the same images, in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from medistill.evaluate.bootstrap import draw_resamples
from medistill.evaluate.difference import SIGNIFICANCE, Difference, differences
from medistill.evaluate.document import definition, judged_classes, overall
from medistill.evaluate.document import spread as spread_over_seeds
from medistill.evaluate.grouped import Table, check_same_images
from medistill.evaluate.harm import Hurt, corrected, uncorrected
from medistill.evaluate.harm_parts import harm_parts
from medistill.evaluate.harm_words import columns_in_words, in_words
from medistill.evaluate.holm import holm
from medistill.evaluate.scored import Scored, estimates, score
from medistill.evaluate.subgroups import Subgroup, together

Models = Mapping[str, Mapping[str, Sequence[Table]]]
ROLES = ("teacher", "student", "control")
NO_CONTROL = "has no control, so it cannot say whether distilling helped"


@dataclass(frozen=True)
class _Pair:
    """Two models to be compared: first minus second."""

    first: tuple[str, str]
    second: tuple[str, str]

    def of(self, scored: Mapping[str, Scored]) -> tuple[Scored, Scored]:
        """The first seed of both."""
        first, second = (scored[f"{run} {role} 0"] for run, role in (self.first, self.second))
        return first, second


def compare_models(
    models: Models,
    *,
    classes: Sequence[str],
    word: str,
    parts: Mapping[str, Sequence[Subgroup]] = MappingProxyType({}),
    left_out: Sequence[str] = (),
    resamples: int = 2000,
    flips: int = 10_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Every model with intervals, every student against its teacher, control and the first student.

    Args:
        models: for each run its tables by role, one a seed; all on the same images.
        classes: names in the order of the probabilities.
        word: what a group is called.
        parts: subgroups of the images as each run knows them, to see whether one is served worse;
            what one run knows of the images holds for all.
        left_out: columns that make no subgroups, and why, as any run knows them.
        resamples: bootstrap resamples of groups.
        flips: sign flips of groups.
        seed: of both.

    Returns:
        A JSON value without NaN: ``harm`` (sentences, worst first), ``notes``; ``compared``: for
        each run its classes and subgroups (see ``harm.Hurt``), ``corrected`` by Holm over those of
        all runs; ``models``: one
        row a run and role with ``overall`` (first seed: spread over groups) and ``seeds`` (spread
        over seeds, kept apart); ``differences``: ``first``, ``second`` and ``overall`` with
        ``p``, ``interval_p`` where there is none, ``corrected`` (the one or the other, by Holm
        over all pairs of that metric) and ``verdict``.

    Raises:
        DataError: models on other images, or that know other things of them; says which differ.
    """
    named = _named(models)
    check_same_images(named)
    drawn = draw_resamples(next(iter(named.values())), resamples=resamples, seed=seed)
    scored = dict(zip(named, score(list(named.values()), drawn), strict=True))
    found = {
        pair: differences(*pair.of(scored), word=word, flips=flips, seed=seed)
        for pair in _pairs(models)
    }
    table = next(iter(named.values()))
    hurt = _harm(models, scored, classes, together(parts), word, seed)
    worse, rest = _in_words(hurt)
    rest += [*columns_in_words(left_out), *_known_to_some(parts)]
    return {
        "classes": list(classes),
        "group_word": word,
        "images": len(table),
        "groups": table.group_count,
        "metrics": {metric.name: definition(metric) for metric in overall(table)},
        "harm": worse,
        "notes": rest + [f"{run} {NO_CONTROL}." for run in models if "control" not in models[run]],
        "compared": {run: [each.to_json() for each in found] for run, found in hurt.items()},
        "models": [
            _row(run, role, [scored[f"{run} {role} {n}"] for n in range(len(tables))], word)
            for run, roles in models.items()
            for role, tables in roles.items()
        ],
        "differences": _corrected(found, [metric.name for metric in overall(table)]),
    }


def _named(models: Models) -> dict[str, Table]:
    return {
        f"{run} {role} {number}": table
        for run, roles in models.items()
        for role, tables in roles.items()
        for number, table in enumerate(tables)
    }


def _pairs(models: Models) -> list[_Pair]:
    first, *others = models
    pairs = [
        _Pair((run, "student"), (run, other))
        for run, roles in models.items()
        for other in ("control", "teacher")
        if other in roles
    ]
    return pairs + [_Pair((run, "student"), (first, "student")) for run in others]


def _row(run: str, role: str, seeds: Sequence[Scored], word: str) -> dict[str, Any]:
    metrics = overall(seeds[0].table)
    return {
        "run": run,
        "role": role,
        "overall": {m.name: estimates(seeds[0], m, word)[0].to_json() for m in metrics},
        "seeds": {metric.name: spread_over_seeds(seeds, metric.name) for metric in metrics},
    }


def _corrected(
    found: Mapping[_Pair, Mapping[str, list[Difference]]], metrics: Sequence[str]
) -> list[dict[str, Any]]:
    """P-values of each metric corrected over all pairs; verdicts by the corrected ones.

    A metric that allows no exchange of groups has the p-value of its interval, since an interval
    of 95 % for every one of many pairs would too often leave out 0 by chance.
    """
    pairs = list(found)
    rows: list[dict[str, Any]] = [
        {"first": " ".join(p.first), "second": " ".join(p.second), "overall": {}} for p in pairs
    ]
    for name in metrics:
        each = [found[pair][name][0] for pair in pairs]
        p_values = holm([d.interval_p if d.p is None else d.p for d in each])
        for row, one, p in zip(rows, each, p_values, strict=True):
            verdict = one.verdict
            if verdict in ("better", "worse") and (p is None or p >= SIGNIFICANCE):
                verdict = "undecided"
            value = replace(one, verdict=verdict).to_json()
            row["overall"][name] = {**value, "corrected": p}
    return rows


def _harm(
    models: Models,
    scored: Mapping[str, Scored],
    classes: Sequence[str],
    parts: Sequence[Subgroup],
    word: str,
    seed: int,
) -> dict[str, list[Hurt]]:
    """By run, what is compared of its student; all runs are one family."""
    others = {
        run: {r: scored[f"{run} {r} 0"] for r in ("teacher", "control") if r in roles}
        for run, roles in models.items()
    }
    table = next(iter(scored.values())).table
    named = judged_classes(table, classes)
    family = len(harm_parts(table, named, parts)) * sum(map(len, others.values()))
    found = [
        uncorrected(
            scored[f"{run} student 0"],
            against,
            classes=named,
            parts=parts,
            word=word,
            seed=seed,
            family=family,
        )
        for run, against in others.items()
    ]
    return dict(zip(models, corrected(found), strict=True))


def _known_to_some(parts: Mapping[str, Sequence[Subgroup]]) -> list[str]:
    """Columns that not every run knows of the images, one sentence each."""
    knowing: dict[str, list[str]] = {}
    for run, found in parts.items():
        for column in dict.fromkeys(each.column for each in found):
            knowing.setdefault(column, []).append(run)
    return [
        f"The column '{column}' is in the table of {', '.join(runs)} alone and was taken for all "
        "runs, whose images are the same."
        for column, runs in knowing.items()
        if len(runs) < len(parts)
    ]


def _in_words(hurt: Mapping[str, Sequence[Hurt]]) -> tuple[list[str], list[str]]:
    """Run by run; the run's name comes first where there are several."""
    worse, rest = [], []
    family = [each for found in hurt.values() for each in found]
    for run, found in hurt.items():
        said = in_words(found, family)
        lead = f"{run}: " if len(hurt) > 1 else ""
        worse += [lead + sentence for sentence in said[0]]
        rest += [lead + sentence for sentence in said[1]]
    return worse, rest
