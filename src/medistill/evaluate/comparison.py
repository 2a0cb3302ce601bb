"""Teacher, student and control on the same images: everything that metrics.json holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medistill.core.errors import DataError
from medistill.evaluate.answer import (
    Evidence,
    answer_for_file,
    answer_for_method,
    cost,
    opening,
    shipped,
    standing,
    with_caveats,
)
from medistill.evaluate.bootstrap import Resamples, draw_resamples
from medistill.evaluate.difference import (
    Difference,
    SeedsDifference,
    difference_over_seeds,
    differences,
)
from medistill.evaluate.document import (
    counts,
    definition,
    judged_classes,
    labels_left_out,
    model_values,
    overall,
    pair_values,
    statistics,
)
from medistill.evaluate.grouped import Table, check_same_images
from medistill.evaluate.harm import Hurt, harm
from medistill.evaluate.harm_words import in_words
from medistill.evaluate.metrics import Metric
from medistill.evaluate.scored import Scored, estimates, score
from medistill.evaluate.subgroups import Subgroup

SCHEMA = 2
ROLES = ("student", "control", "teacher")
Roles = Mapping[str, Table | Sequence[Table] | None]


def evaluate(
    predictions: Roles,
    *,
    classes: Sequence[str],
    group_word: str,
    caveats: Sequence[str] = (),
    sizes: Mapping[str, Mapping[str, Any]] | None = None,
    headline: str | None = None,
    resamples: int = 2000,
    flips: int = 10_000,
    seed: int = 0,
    parts: Sequence[Subgroup] = (),
    left_out: Sequence[str] = (),
) -> dict[str, Any]:
    """Score teacher, student and control, and say whether distilling helped.

    The file that was shipped is seed 0's; intervals and differences are its. Where there are
    folds they are of the students of all of them together, and ``answer.shipped`` is of the one
    that was shipped, the first. Further seeds give the spread and the answer for the method.

    Args:
        predictions: ``student``: one table a seed; ``control``: the same or nothing; ``teacher``:
            one table or None. All on the same images, in the same order.
        classes: class names in the order of the probabilities.
        group_word: what a group is called.
        caveats: sentences that stay with every figure.
        sizes: for each role what was measured of it: ``parameters``, ``multiply_adds``,
            ``latency_ms`` and whatever else the report shall show.
        headline: the metric that the answer is about; None for the task's own.
        resamples: bootstrap resamples of groups.
        flips: sign flips of groups.
        seed: of both.
        parts: subgroups of the images, to see whether one of them is served worse.
        left_out: columns that make no subgroups, and why; see ``subgroups.columns_left_out``.

    Returns:
        A JSON value without NaN, the content of metrics.json:

        - ``schema`` (2), ``classes``, ``group_word``, ``caveats``, ``headline``, ``sizes``;
        - ``counts``: ``images``, ``groups``, ``folds``, ``seeds``, ``images_per_class``,
          ``groups_per_class``;
        - ``statistics``: ``level``, ``resamples``, ``flips``, ``seed``, ``calibration_bins``;
        - ``metrics``: for each name ``title``, ``better``, ``per_class``, ``pooled``, ``meaning``;
        - ``models``: for ``teacher``, ``student``, ``control`` None or ``overall`` (for each
          metric ``estimate``, ``low``, ``high``, ``reason``, ``undefined_resamples``),
          ``per_class`` (the same for each class), ``seeds`` (for each metric ``values``, ``mean``,
          ``sd``), ``confusion`` (or None), ``calibration`` (``bins`` by what they are about:
          ``all``, a label, ``pixels``; ``noise_floor``), ``roc`` and ``precision_recall`` (by
          class; none for masks);
        - ``differences``: ``student_minus_control`` and ``student_minus_teacher``, None or
          ``overall`` and ``per_class`` as above with ``p``, ``p_reason``, ``verdict``, and
          ``classical`` (McNemar, DeLong);
        - ``method``: for each overall metric student minus control over seeds, or None;
        - ``harm``: classes and subgroups, those served worse first (see ``harm.Hurt``);
        - ``answer``: ``harm`` and ``no_harm`` (who is served worse, and what was not shown or
          tested, in words), ``opening``, ``for_file``, ``for_method``, ``standing``,
          ``shipped`` (of several folds, what the images of the shipped one say), ``cost``,
          ``verdict``, ``full`` (all of it in one paragraph with the caveats).

    Raises:
        DataError: no student, models on different images, or a wrong number of classes.
    """
    tables = {role: _as_list(predictions.get(role)) for role in ROLES}
    _check(tables, classes)
    first = tables["student"][0]
    chosen, caveats = headline or first.headline, (*caveats, *labels_left_out(first, classes))
    roles = _score(tables, draw_resamples(first, resamples=resamples, seed=seed))
    pairs = _pairs(roles, word=group_word, flips=flips, seed=seed)
    method = _method(roles, group_word)
    hurt = _harm(roles, classes, parts, group_word, seed)
    own = _shipped(first, chosen, group_word, resamples, seed)
    said = in_words(hurt, whose=_evidence(first, group_word).serves, left_out=left_out)
    return {
        **_head(classes, group_word, caveats, chosen),
        "counts": counts(first, classes, seeds=len(tables["student"])),
        "statistics": statistics(resamples, flips, seed),
        "metrics": {m.name: definition(m) for m in first.metrics.values()},
        "models": {role: model_values(s, classes, group_word) for role, s in roles.items()},
        "differences": _differences(roles, pairs, classes, group_word),
        "method": {name: d.to_json() for name, d in method.items()} or None,
        "harm": [each.to_json() for each in hurt],
        "answer": _answer(
            roles, pairs, method, first.metrics[chosen], group_word, caveats, sizes or {}, said, own
        ),
        "sizes": {role: dict(values) for role, values in (sizes or {}).items()},
    }


def _head(
    classes: Sequence[str], word: str, caveats: Sequence[str], headline: str
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "classes": list(classes),
        "group_word": word,
        "caveats": list(caveats),
        "headline": headline,
    }


def _pairs(
    roles: Mapping[str, Sequence[Scored]], *, word: str, flips: int, seed: int
) -> dict[str, Mapping[str, list[Difference]]]:
    """Student minus control and student minus teacher, of those there are."""
    shipped = roles["student"][0]
    return {
        other: differences(shipped, roles[other][0], word=word, flips=flips, seed=seed)
        for other in ("control", "teacher")
        if roles[other]
    }


def _differences(
    roles: Mapping[str, Sequence[Scored]],
    pairs: Mapping[str, Mapping[str, list[Difference]]],
    classes: Sequence[str],
    word: str,
) -> dict[str, Any]:
    return {
        f"student_minus_{other}": pair_values(roles, pairs.get(other), other, classes, word)
        for other in ("control", "teacher")
    }


def _as_list(value: Table | Sequence[Table] | None) -> list[Table]:
    if value is None:
        return []
    return list(value) if isinstance(value, Sequence) else [value]


def _check(tables: Mapping[str, Sequence[Table]], classes: Sequence[str]) -> None:
    if not tables["student"]:
        raise DataError(
            where="evaluation", what="there is no student", cure="Give the student's predictions."
        )
    named = {f"{role} {seed}": t for role in tables for seed, t in enumerate(tables[role])}
    for name, table in named.items():
        if table.classes != len(judged_classes(table, classes)):
            raise DataError(
                where=name,
                what=f"{table.classes} probabilities for {len(classes)} classes",
                cure="Evaluate models that were fitted on these classes.",
            )
    check_same_images(named)


def _score(tables: Mapping[str, Sequence[Table]], drawn: Resamples) -> dict[str, list[Scored]]:
    """All models at once, because making the resamples' weights costs most."""
    scored = iter(score([table for role in tables for table in tables[role]], drawn))
    return {role: [next(scored) for _ in tables[role]] for role in tables}


def _method(roles: Mapping[str, Sequence[Scored]], word: str) -> dict[str, SeedsDifference]:
    if not roles["control"]:
        return {}
    return {
        metric.name: difference_over_seeds(roles["student"], roles["control"], metric, word)
        for metric in overall(roles["student"][0].table)
    }


def _answer(
    roles: Mapping[str, Sequence[Scored]],
    pairs: Mapping[str, Mapping[str, list[Difference]]],
    method: Mapping[str, SeedsDifference],
    metric: Metric,
    word: str,
    caveats: Sequence[str],
    sizes: Mapping[str, Mapping[str, Any]],
    harmed: tuple[list[str], list[str]],
    own: str | None,
) -> dict[str, Any]:
    evidence = _evidence(roles["student"][0].table, word)
    student = estimates(roles["student"][0], metric, word)[0]
    teacher = estimates(roles["teacher"][0], metric, word)[0] if roles["teacher"] else None
    gain = pairs["control"][metric.name][0] if "control" in pairs else None
    gap = pairs["teacher"][metric.name][0] if "teacher" in pairs else None
    parts = {
        "opening": opening(
            teacher=teacher, student=student, student_minus_teacher=gap, metric=metric, sizes=sizes
        ),
        "for_file": answer_for_file(gain, metric=metric, evidence=evidence),
        "for_method": answer_for_method(method.get(metric.name), metric=metric, evidence=evidence),
        "standing": standing(student, metric=metric, evidence=evidence),
        "shipped": own,
        "cost": cost(sizes),
    }
    # That the teacher serves as well for no more makes the rest idle. Else who is served worse
    # comes before everything; that nobody is shown to be, after it.
    worse, rest = harmed
    first, *others = parts.values()
    said = " ".join(sentence for sentence in (first, *worse, *others, *rest) if sentence)
    verdict = gain.verdict if gain is not None else "unknown"
    full = with_caveats(said, caveats)
    return {"harm": worse, "no_harm": rest, **parts, "verdict": verdict, "full": full}


def _evidence(table: Table, word: str) -> Evidence:
    return Evidence(
        images=len(table), groups=table.group_count, word=word, folds=len(table.fold_rows)
    )


def _shipped(table: Table, name: str, word: str, resamples: int, seed: int) -> str | None:
    """What the first fold's images say of its student, which is shipped; None without folds."""
    folds = len(table.fold_rows)
    if folds == 1:
        return None
    alone = table.only(table.fold_rows[0])
    metric = alone.metrics[name]  # of labels its mean is over those that this fold has
    (scored,) = score([alone], draw_resamples(alone, resamples=resamples, seed=seed))
    own = estimates(scored, metric, word)[0]
    return shipped(own, metric=metric, images=len(alone), folds=folds)


def _harm(
    roles: Mapping[str, Sequence[Scored]],
    classes: Sequence[str],
    parts: Sequence[Subgroup],
    word: str,
    seed: int,
) -> list[Hurt]:
    """The first seed's student against the teacher and the control, class by class."""
    others = {other: roles[other][0] for other in ("teacher", "control") if roles[other]}
    student = roles["student"][0]
    named = judged_classes(student.table, classes)
    return harm(student, others, classes=named, parts=parts, word=word, seed=seed)
