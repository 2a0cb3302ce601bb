"""Evaluation stage: predictions of every fold and seed, statistics, one report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from medistill.core.files import sha256_json, write_json
from medistill.core.types import ImageSet
from medistill.evaluate.comparison import evaluate
from medistill.evaluate.decision_values import decision_values
from medistill.evaluate.examined import Examined
from medistill.evaluate.mistakes import worst_mistakes
from medistill.evaluate.operating import Wish
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.strange import StrangeSet
from medistill.evaluate.subgroups import Subgroup, subgroups
from medistill.imaging.resize import render
from medistill.recipe import dump_recipe
from medistill.report.explained import Explained
from medistill.report.html import write_report
from medistill.report.pictures import Picture
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.decisions import Ask, examine, network_asker, rules_of, teacher_asker
from medistill.stages.explanation import explain
from medistill.stages.flow import data_flow
from medistill.stages.provenance import provenance_of
from medistill.stages.sizes import sizes_of
from medistill.stages.strange import strange_answers
from medistill.stages.student import open_student, stage_name
from medistill.stages.teacher import block_json, open_teacher

EVALUATION = "evaluation"
#: Raised when a report says something new, so that finished runs are judged again.
VERSION = 3
METRICS = "metrics.json"
_PICTURE = 160

Chances = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Everything that a report is made from.

    Attributes:
        images: the images that were judged.
        predictions: for each role one table a seed.
        examined: for each role its first seed, fold by fold, with what was fitted on *calibrate*.
        wish: the operating point that is shipped.
        strange: for each role what it said of images of other kinds.
        flow: how many images came, were left out, and went into each part.
        explanation: where the models look.
        sizes: for each role what was measured of it.
        pixels: stored image by name, for the pictures of mistakes.
        histories: learning curves by role.
        recipe: text of the recipe.
        provenance: where everything came from.
    """

    images: ImageSet
    predictions: Mapping[str, Sequence[Predictions]]
    examined: Mapping[str, Sequence[Examined]] = field(default_factory=dict)
    wish: Wish | None = None
    strange: Mapping[str, Mapping[str, StrangeSet]] = field(default_factory=dict)
    flow: Mapping[str, Any] = field(default_factory=dict)
    explanation: Explained | None = None
    sizes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pixels: Mapping[str, NDArray[np.uint16]] = field(default_factory=dict)
    histories: Mapping[str, Path] = field(default_factory=dict)
    recipe: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)


def evaluate_run(context: Context, prepared: Prepared) -> None:
    """Judge teacher, student and control on *evaluate*, unless that was done already."""
    inputs = _inputs(context, prepared)
    if not context.run.is_current(EVALUATION, inputs):
        with context.run.writing(EVALUATION, inputs) as stage:
            metrics = judge(_judged(context, prepared), stage.folder)
            stage.outputs["answer"] = metrics["answer"]["full"]
    context.reporter.say(str(context.run.outputs(EVALUATION)["answer"]))
    context.reporter.say(f"Report: {context.run.stage(EVALUATION) / 'report.html'}")


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


def _judged(context: Context, prepared: Prepared) -> Judged:
    fold = context.folds()[0]
    examined = examine_run(context, prepared)
    stages = {
        "teacher": f"{context.scope(fold)}teacher/fit-0",
        "student": stage_name(context, fold, 0, "student"),
        "control": stage_name(context, fold, 0, "control"),
    }
    paths = {role: context.run.stage(name) / "history.csv" for role, name in stages.items()}
    rows = [row for fold in context.folds() for row in prepared.parts[fold].evaluate]
    return Judged(
        images=prepared.images,
        predictions=run_predictions(context, prepared, examined),
        examined={role: seeds[0] for role, seeds in examined.items()},
        wish=rules_of(context.recipe.decide).wish,
        strange=strange_answers(context, prepared, fold),
        flow=data_flow(context, prepared),
        explanation=_explained(context, prepared, fold),
        sizes=sizes_of(context, prepared, fold),
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
    context: Context, prepared: Prepared, examined: Mapping[str, Sequence[Sequence[Examined]]]
) -> dict[str, list[Predictions]]:
    """Calibrated probabilities over *evaluate*: one teacher, one table a seed for the others."""
    parts, images = prepared.parts, prepared.images

    def pooled(folds: Sequence[Examined]) -> Predictions:
        pairs = zip(context.folds(), folds, strict=True)
        return pool(
            images, [(fold, parts[fold].evaluate, e.chances(task=images.task)) for fold, e in pairs]
        )

    return {role: [pooled(folds) for folds in seeds] for role, seeds in examined.items()}


def pool(images: ImageSet, answers: Sequence[tuple[int, Sequence[int], Chances]]) -> Predictions:
    """One table from (fold, rows, probabilities) of each fold."""
    samples = [images.samples[row] for _, rows, _ in answers for row in rows]
    return Predictions(
        names=[sample.name for sample in samples],
        groups=[sample.group for sample in samples],
        labels=np.array([sample.label for sample in samples], dtype=np.int64),
        probabilities=np.concatenate([chances for _, _, chances in answers]),
        folds=[fold for fold, rows, _ in answers for _ in rows],
    )


def judge(judged: Judged, folder: Path) -> Mapping[str, Any]:
    """Write ``metrics.json``, one CSV of predictions a model, and ``report.html``."""
    folder.mkdir(parents=True, exist_ok=True)
    metrics = _metrics(judged)
    write_json(folder / METRICS, metrics)
    tables = {}
    for role, seeds in judged.predictions.items():
        for seed, table in enumerate(seeds):
            name = f"{role}, seed {seed}" if len(seeds) > 1 else role
            tables[name] = folder / f"{name.replace(', seed ', '-')}.csv"
            table.write_csv(tables[name], judged.images.classes)
    write_report(
        folder,
        metrics,
        predictions=tables,
        histories=judged.histories,
        pictures=_pictures(judged),
        recipe_text=judged.recipe,
        provenance=judged.provenance,
        explanation=judged.explanation,
    )
    return metrics


def _metrics(judged: Judged) -> dict[str, Any]:
    images = judged.images
    found = evaluate(
        judged.predictions,
        classes=images.classes,
        group_word=images.group_word,
        caveats=images.caveats,
        sizes=judged.sizes,
        parts=_subgroups(judged),
    )
    decisions = decision_values(
        judged.examined,
        task=images.task,
        classes=images.classes,
        word=images.group_word,
        wish=judged.wish,
        strange=judged.strange,
    )
    explained = judged.explanation.values if judged.explanation else None
    return {
        **found,
        "decisions": decisions,
        "flow": dict(judged.flow),
        "explanation": explained,
        "provenance": dict(judged.provenance),
    }


def _explained(context: Context, prepared: Prepared, fold: int) -> Explained | None:
    """Teacher (its first member) and student of the first fold."""
    networks = {
        "teacher": open_teacher(context, prepared, fold).members[0],
        "student": open_student(context, prepared, fold, 0, "student"),
    }
    return explain(prepared, prepared.parts[fold].evaluate, networks)


def _subgroups(judged: Judged) -> list[Subgroup]:
    known = {sample.name: sample.attributes for sample in judged.images.samples}
    return subgroups([known[name] for name in judged.predictions["student"][0].names])


def _pictures(judged: Judged) -> list[Picture]:
    """The shipped student's surest mistakes."""
    classes = judged.images.classes
    return [
        Picture(
            pixels=render(judged.pixels[mistake.name], size=_PICTURE, fit="pad")[0],
            caption=f"{classes[mistake.label]}, taken for {classes[mistake.predicted]} "
            f"with {mistake.probability:.0%}",
            detail=mistake.name,
        )
        for mistake in worst_mistakes(judged.predictions["student"][0])
        if mistake.name in judged.pixels
    ]
