"""Evaluation stage: predictions of every fold and seed, statistics, one report, for every task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from medistill.core.errors import RunFolderError
from medistill.core.files import sha256_file, sha256_json
from medistill.evaluate.examined import Examined
from medistill.evaluate.grouped import Table
from medistill.evaluate.mask_scores import MaskScores
from medistill.recipe import dump_recipe
from medistill.report.explained import Explained
from medistill.report.html import REPORT
from medistill.report.pictures import Picture
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.decisions import Ask, examine, network_asker, rules_of, teacher_asker
from medistill.stages.explained_models import shown_models
from medistill.stages.explanation import explain
from medistill.stages.finished import first_change
from medistill.stages.flow import data_flow
from medistill.stages.judging import METRICS, Judged, judge, pool
from medistill.stages.mask_measuring import Segmenter, mask_table, worst_masks
from medistill.stages.mask_prediction import ask_network, ask_teacher
from medistill.stages.networks import block_json
from medistill.stages.provenance import provenance_of
from medistill.stages.sizes import sizes_of
from medistill.stages.strange import strange_answers
from medistill.stages.student import open_student, stage_name
from medistill.stages.teacher import open_teacher

EVALUATION = "evaluation"
#: Raised when a report says something new, so that finished runs are judged again.
VERSION = 11


def evaluate_run(context: Context, prepared: Prepared) -> None:
    """Judge teacher, student and control on *evaluate*, unless that was done already."""
    inputs = _inputs(context, prepared)
    if not _stands(context, inputs):
        with context.run.writing(EVALUATION, inputs) as stage:
            metrics = judge(_judged(context, prepared, stage.folder), stage.folder)
            stage.outputs["answer"] = metrics["answer"]["full"]
            stage.needed.extend(sorted(path.name for path in stage.folder.glob("*.csv")))
            stage.outputs[METRICS] = sha256_file(stage.folder / METRICS)
    context.reporter.say(str(context.run.outputs(EVALUATION)["answer"]))
    context.reporter.say(f"Report: {context.run.stage(EVALUATION) / REPORT}")


def is_evaluated(context: Context, prepared: Prepared) -> bool:
    """Whether the evaluation judged the teachers, students and controls that are there now.

    They must be those of the run's recipe as well. An evaluation that an earlier version wrote is
    about the same models, and did not note its figures' hash.
    """
    try:
        now, made = _inputs(context, prepared), context.run.manifest(EVALUATION)
    except RunFolderError:  # one of them has not been made
        return False
    told = [{**inputs, "version": None} for inputs in (now, made["inputs"])]
    figures = context.run.stage(EVALUATION) / METRICS
    if sha256_json(told[0]) != sha256_json(told[1]) or not figures.is_file():
        return False
    if first_change(context, prepared):
        return False
    return made["outputs"].get(METRICS) in (None, sha256_file(figures))


def _stands(context: Context, inputs: Mapping[str, Any]) -> bool:
    """Whether the evaluation was made from these inputs, and its figures are as it wrote them.

    Its report must be there; the export writes into it.
    """
    if not context.run.is_current(EVALUATION, inputs):
        return False
    folder = context.run.stage(EVALUATION)
    if not all((folder / name).is_file() for name in (METRICS, REPORT)):
        return False
    return bool(context.run.outputs(EVALUATION).get(METRICS) == sha256_file(folder / METRICS))


def _inputs(context: Context, prepared: Prepared) -> dict[str, Any]:
    names = [f"{context.scope(fold)}teacher" for fold in context.folds()]
    names += [
        stage_name(context, fold, seed, role)
        for fold in context.folds()
        for seed in range(context.recipe.seeds)
        for role in ("student", "control")
    ]
    parts = [prepared.parts[fold].evaluate for fold in context.folds()]
    made_from = {name: context.run.manifest(name)["inputs_hash"] for name in names}
    return {
        "version": VERSION,
        "stages": made_from,
        "evaluate": sha256_json(parts),
        "decide": block_json(context.recipe.decide),
    }


def _judged(context: Context, prepared: Prepared, folder: Path) -> Judged:
    fold = context.folds()[0]
    examined = examine_run(context, prepared)
    predictions = run_predictions(context, prepared, examined, folder / "masks")
    stages = {
        "teacher": f"{context.scope(fold)}teacher/fit-0",
        "student": stage_name(context, fold, 0, "student"),
        "control": stage_name(context, fold, 0, "control"),
    }
    paths = {role: context.run.stage(name) / "history.csv" for role, name in stages.items()}
    rows = [row for fold in context.folds() for row in prepared.parts[fold].evaluate]
    return Judged(
        images=prepared.images,
        predictions=predictions,
        examined={role: seeds[0] for role, seeds in examined.items()},
        wish=rules_of(context.recipe.decide).wish,
        named=context.recipe.decide.positive,
        strange=strange_answers(context, prepared, fold),
        flow=data_flow(context, prepared),
        explanation=_explained(context, prepared, fold),
        sizes=sizes_of(context, prepared, fold),
        pictures=_mask_pictures(context, prepared, predictions, examined),
        pixels={prepared.images.samples[row].name: prepared.store[row] for row in rows},
        histories={role: path for role, path in paths.items() if path.exists()},
        recipe=yaml.safe_dump(dump_recipe(context.recipe), sort_keys=False, allow_unicode=True),
        provenance=provenance_of(context, prepared),
    )


def examine_run(context: Context, prepared: Prepared) -> dict[str, list[list[Examined]]]:
    """Every model, by role, seed and fold: what it says, and what was fitted on *calibrate*."""
    seeds = range(context.recipe.seeds)

    def folds_of(asker: Callable[[int], Ask]) -> list[Examined]:
        return [examine(context, prepared, fold, asker(fold)) for fold in context.folds()]

    def student(role: str, seed: int) -> Callable[[int], Ask]:
        return lambda fold: network_asker(
            open_student(context, prepared, fold, seed, role), prepared
        )

    def teacher(fold: int) -> Ask:
        return teacher_asker(open_teacher(context, prepared, fold), prepared)

    found = {role: [folds_of(student(role, s)) for s in seeds] for role in ("student", "control")}
    return {"teacher": [folds_of(teacher)], **found}


def run_predictions(
    context: Context,
    prepared: Prepared,
    examined: Mapping[str, Sequence[Sequence[Examined]]],
    keep: Path,
) -> dict[str, list[Table]]:
    """Calibrated answers over *evaluate*: one teacher, one table a seed for the others.

    Masks of the first seed's student are written below ``keep``.
    """
    parts, images = prepared.parts, prepared.images
    found: dict[str, list[Table]] = {role: [] for role in examined}
    for role, seeds in examined.items():
        for seed, folds in enumerate(seeds):
            pairs = list(zip(context.folds(), folds, strict=True))
            if prepared.masks is None:
                answers = [(f, parts[f].evaluate, e.chances(task=images.task)) for f, e in pairs]
                found[role].append(pool(images, answers))
                continue
            models = [
                (f, parts[f].evaluate, segmenter(context, prepared, f, seed, role, e))
                for f, e in pairs
            ]
            shown = keep if (role, seed) == ("student", 0) else None
            found[role].append(mask_table(prepared, models, shown))
    return found


def segmenter(
    context: Context, prepared: Prepared, fold: int, seed: int, role: str, examined: Examined
) -> Segmenter:
    """One model of one fold, with its temperature, as what makes masks."""
    calibration = examined.fitted.calibration
    if role == "teacher":
        teacher = open_teacher(context, prepared, fold)
        network, ask = teacher.members[0], ask_teacher(teacher)
    else:
        network = open_student(context, prepared, fold, seed, role)
        ask = ask_network(network)
    return Segmenter(ask=ask, seen=network.preprocessing, calibration=calibration)


def _mask_pictures(
    context: Context,
    prepared: Prepared,
    predictions: Mapping[str, Sequence[Table]],
    examined: Mapping[str, Sequence[Sequence[Examined]]],
) -> Sequence[Picture] | None:
    """The shipped student's worst masks; None for other tasks."""
    table, fold = predictions["student"][0], context.folds()[0]
    if not isinstance(table, MaskScores):
        return None
    model = segmenter(context, prepared, fold, 0, "student", examined["student"][0][0])
    return worst_masks(prepared, table, model, prepared.parts[fold].evaluate)


def _explained(context: Context, prepared: Prepared, fold: int) -> Explained | None:
    """Teacher (its first member) and student of the first fold."""
    models = shown_models(context, prepared, fold)
    return explain(prepared, prepared.parts[fold].evaluate, models)
