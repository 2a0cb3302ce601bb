"""Evaluation stage of labels that are not exclusive, and of masks: measures, one report."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from medistill.core.files import sha256_json, write_json
from medistill.evaluate.answer import cost
from medistill.evaluate.intervals import Estimate, Scale
from medistill.evaluate.label_measures import auroc_measure, counted_labels, positive_groups
from medistill.evaluate.measured import Layout, Measure, measure_models, verdict
from medistill.recipe import dump_recipe
from medistill.report.measures import Shown, write_measures
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.evaluation import EVALUATION, METRICS, VERSION
from medistill.stages.mask_measuring import measures_of
from medistill.stages.prediction import predict_rows, predict_teacher
from medistill.stages.sizes import sizes_of
from medistill.stages.student import open_student, stage_name
from medistill.stages.teacher import open_teacher

_RESAMPLES = 1000
# Distances of surfaces are in pixels, everything else lies in [0, 1].
MASK_SCALES: Mapping[str, Scale] = {"hd95": "positive"}


def measure_run(context: Context, prepared: Prepared) -> None:
    """Judge teacher, student and control on *evaluate*, unless that was done already."""
    inputs = _inputs(context, prepared)
    if not context.run.is_current(EVALUATION, inputs):
        with context.run.writing(EVALUATION, inputs) as stage:
            metrics, pictures = _judged(context, prepared, stage.folder)
            write_json(stage.folder / METRICS, metrics)
            text = yaml.safe_dump(dump_recipe(context.recipe), sort_keys=False, allow_unicode=True)
            write_measures(stage.folder, metrics, pictures=pictures, recipe_text=text)
            stage.outputs["answer"] = metrics["answer"]["full"]
    context.reporter.say(str(context.run.outputs(EVALUATION)["answer"]))
    context.reporter.say(f"Report: {context.run.stage(EVALUATION) / 'report.html'}")


def _inputs(context: Context, prepared: Prepared) -> dict[str, Any]:
    folds = context.folds()
    names = [f"{context.scope(fold)}teacher" for fold in folds]
    names += [
        stage_name(context, fold, seed, role)
        for fold in folds
        for seed in range(context.recipe.seeds)
        for role in ("student", "control")
    ]
    made_from = {name: context.run.manifest(name)["inputs_hash"] for name in names}
    parts = [prepared.parts[fold].evaluate for fold in folds]
    return {"version": VERSION, "stages": made_from, "evaluate": sha256_json(parts)}


def _judged(
    context: Context, prepared: Prepared, folder: Path
) -> tuple[dict[str, Any], Sequence[Shown]]:
    if prepared.masks is not None:
        found = measures_of(context, prepared, folder)
        pictures = found.pop("pictures")
        return document(context, prepared, **found, scales=MASK_SCALES), pictures
    tables = _tables(context, prepared)
    rows = [row for fold in context.folds() for row in prepared.parts[fold].evaluate]
    labels = prepared.labels[rows].astype(np.float64)
    groups = [prepared.images.samples[row].group for row in rows]
    classes = prepared.images.classes
    columns = counted_labels(labels, groups)
    for role, seeds in tables.items():
        for seed, chances in enumerate(seeds):
            _write_csv(folder / f"{role}-{seed}.csv", prepared, rows, chances)
    names = ["auroc", *(f"auroc: {classes[column]}" for column in columns)]
    held = positive_groups(labels, groups)
    carriers = {f"auroc: {classes[column]}": held[column] for column in columns}
    measures = {
        role: [auroc_measure(labels, chances, columns) for chances in seeds]
        for role, seeds in tables.items()
    }
    left_out = [
        f"{name} ({held[column]} positive groups)"
        for column, name in enumerate(classes)
        if column not in columns
    ]
    metrics = document(
        context, prepared, measures=measures, names=names, carriers=carriers, left_out=left_out
    )
    return metrics, ()


def document(
    context: Context,
    prepared: Prepared,
    *,
    measures: Mapping[str, Sequence[Measure]],
    names: Sequence[str],
    carriers: Mapping[str, int] | None = None,
    scales: Mapping[str, Scale] | None = None,
    left_out: Sequence[str] = (),
) -> dict[str, Any]:
    """The content of metrics.json from the measures of each role's seeds; the first name leads."""
    layout = _layout(context, prepared)
    models, differences = measure_models(
        {role: seeds[0] for role, seeds in measures.items()},
        names,
        layout,
        scales=_by_name(names, scales),
        carriers=carriers,
        resamples=_RESAMPLES,
    )
    whole = np.arange(len(layout.groups))
    seeds = {role: [float(each(whole)[0]) for each in found] for role, found in measures.items()}
    caveats = prepared.images.caveats
    sizes = sizes_of(context, prepared, context.folds()[0])
    gain = differences["student_minus_control"][names[0]]
    return {
        **_heading(context, prepared, layout),
        "headline": names[0],
        "measures": list(names),
        "left_out": list(left_out),
        "sizes": sizes,
        "models": {
            role: {"overall": _plain(models[role]), "seeds": [_number(v) for v in seeds[role]]}
            for role in models
        },
        "differences": {pair: {"overall": _plain(found)} for pair, found in differences.items()},
        "answer": answer(names[0], gain, caveats, cost(sizes)),
    }


def _layout(context: Context, prepared: Prepared) -> Layout:
    rows = [(fold, row) for fold in context.folds() for row in prepared.parts[fold].evaluate]
    return Layout(
        groups=[prepared.images.samples[row].group for _, row in rows],
        folds=[fold for fold, _ in rows],
        word=prepared.images.group_word,
    )


def _heading(context: Context, prepared: Prepared, layout: Layout) -> dict[str, Any]:
    images = prepared.images
    return {
        "schema": 1,
        "task": images.task,
        "classes": list(images.classes),
        "group_word": images.group_word,
        "caveats": list(images.caveats),
        "counts": {
            "images": len(layout.groups),
            "groups": len(set(layout.groups)),
            "resamples": _RESAMPLES,
            "seeds": context.recipe.seeds,
        },
    }


def _by_name(names: Sequence[str], scales: Mapping[str, Scale] | None) -> dict[str, Scale]:
    """Scale of each name, found by the measure before the colon."""
    return {name: (scales or {}).get(name.partition(":")[0], "unit") for name in names}


def answer(
    name: str, difference: Estimate, caveats: Sequence[str], costs: str | None = None
) -> dict[str, Any]:
    """In words, whether the distilled student beats its control, and what it costs."""
    found = verdict(difference)
    words = {
        "better": f"Distilling helped: {name} of the student is higher than its control's",
        "worse": f"Distilling harmed: {name} of the student is lower than its control's",
        "undecided": f"No difference in {name} between student and control is shown",
    }
    numbers = ""
    if difference.low is not None and difference.estimate is not None:
        numbers = f" by {difference.estimate:.3f} ({difference.low:.3f} to {difference.high:.3f})"
    elif difference.reason:
        numbers = f" ({difference.reason})"
    opening = f"{words[found]}{numbers}."
    return {
        "opening": opening,
        "for_file": "",
        "for_method": "",
        "standing": "",
        "cost": costs,
        "verdict": found,
        "full": " ".join([opening, *([costs] if costs else []), *caveats]),
    }


def _tables(context: Context, prepared: Prepared) -> dict[str, list[NDArray[np.float64]]]:
    """Probabilities of all *evaluate* rows by role and seed, folds one after the other."""
    parts = [(fold, prepared.parts[fold].evaluate) for fold in context.folds()]

    def of(role: str, seed: int) -> NDArray[np.float64]:
        return np.concatenate(
            [
                predict_rows(open_student(context, prepared, fold, seed, role), prepared, rows)
                for fold, rows in parts
            ]
        )

    teacher = np.concatenate(
        [predict_teacher(open_teacher(context, prepared, fold), prepared, r) for fold, r in parts]
    )
    seeds = range(context.recipe.seeds)
    tables = {role: [of(role, seed) for seed in seeds] for role in ("student", "control")}
    return {**tables, "teacher": [teacher]}


def _write_csv(
    path: Path, prepared: Prepared, rows: Sequence[int], chances: NDArray[np.float64]
) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "group", *(f"p_{name}" for name in prepared.images.classes)])
        for row, values in zip(rows, chances, strict=True):
            sample = prepared.images.samples[row]
            writer.writerow([sample.name, sample.group, *(f"{value:.6f}" for value in values)])


def _plain(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: asdict(estimate) for name, estimate in estimates.items()}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
