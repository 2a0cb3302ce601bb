"""A report of each task with every section filled, from models drawn at random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from medistill.core.types import Task
from medistill.evaluate.comparison import evaluate
from medistill.evaluate.decision_values import decision_values
from medistill.evaluate.decisions import Rules
from medistill.evaluate.examined import Examined
from medistill.evaluate.grouped import Table
from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.mask_scores import MaskScores
from medistill.evaluate.operating import Wish
from medistill.evaluate.pixel_sums import pixel_sums
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.segmentation import image_measures
from medistill.evaluate.subgroups import subgroups
from medistill.report.explained import Explained
from medistill.report.html import write_report
from medistill.report.pictures import Picture
from tests.unit.evaluate.examined_models import examined

CLASSES = ["well", "ill"]
WISH = Wish(rule="sensitivity", value=0.9)
SKILLS = {"teacher": 3.0, "student": 2.0, "control": 1.0}
START = {"teacher": "published weights of a model", "student": "random weights"}
PARTS = {"fit": 400, "select": 60, "calibrate": 200, "evaluate": 300}


def task_metrics(task: Task) -> dict[str, Any]:
    """Content of metrics.json: three models, subgroups, and everything that was decided."""
    wish = None if task == "segmentation" else WISH
    models = {
        role: [examined(task=task, skill=skill, rules=Rules(wish=wish))]
        for role, skill in SKILLS.items()
    }
    people = [{"sex": "FM"[n % 2], "age": str(20 + n % 60)} for n in range(300)]
    found = evaluate(
        {role: [_table(folds[0], task)] for role, folds in models.items()},
        classes=CLASSES,
        group_word="patient",
        caveats=["these are random numbers"],
        sizes={role: {"parameters": 1000, "latency_ms": 2.0} for role in models},
        resamples=100,
        parts=subgroups(people),
    )
    decisions = decision_values(models, task=task, classes=CLASSES, word="patient", wish=wish)
    return {**found, "task": task, "decisions": decisions, "flow": _flow(), "explanation": None}


def task_page(folder: Path, task: Task, history: Path) -> Path:
    """The report with pictures, learning curves, provenance and, where it applies, explanation."""
    explanation = None if task == "segmentation" else _explained()
    metrics = {**task_metrics(task), "explanation": explanation and explanation.values}
    return write_report(
        folder,
        metrics,
        histories={"student": history},
        pictures=[Picture(pixels=np.eye(8), caption="ill, taken for well", detail="a/b.png")],
        recipe_text="name: demo\n",
        provenance={"versions": {"medistill": "1"}, "weights": "f" * 64, "start": START},
        explanation=explanation,
    )


def _table(model: Examined, task: Task) -> Table:
    said, chances = model.evaluate, model.chances(task=task)
    names = [f"i{n}" for n in range(len(said.groups))]
    if task != "segmentation":
        kind = LabelPredictions if task == "multi-label" else Predictions
        return kind(names=names, groups=said.groups, labels=said.labels, probabilities=chances)
    masks = said.labels.astype(np.uint8)
    pairs = list(zip(chances, masks, strict=True))
    found = [image_measures(c.argmax(axis=0).astype(np.uint8), m, classes=2) for c, m in pairs]
    return MaskScores(
        names=names,
        groups=said.groups,
        present=[[bool((mask == 1).any())] for mask in masks],
        overlaps=np.stack(found),
        pixels=np.stack([pixel_sums(c, m) for c, m in pairs]),
    )


def _flow() -> dict[str, Any]:
    parts = {
        name: {"images": n, "groups": n, "classes": dict.fromkeys(CLASSES, n // 2)}
        for name, n in PARTS.items()
    }
    unreadable = [{"name": "a/broken.png", "reason": "is empty"}]
    counts = {"folds": 1, "stored": 970, "labelled": 970, "unlabelled": 0, "removed": 10}
    counts |= {"listed": 971, "unreadable": unreadable}
    return {**counts, "parts": parts}


def _explained() -> Explained:
    figure = {"n": 20, "estimate": 0.4, "low": 0.3, "high": 0.5, "reason": None}
    measures = {name: figure for name in ("deletion", "insertion", "randomised")}
    pictures = tuple(Picture(pixels=np.eye(4), caption=c) for c in ("ill", "student, roll-out"))
    counted = {
        "images_per_class": {"ill": 10, "well": 10},
        "areas_per_class": {"ill": 8, "well": 8},
    }
    models = {"student": {"roll-out": measures}}
    return Explained(
        values={"models": models, "images": 20, **counted, "agreement": figure},
        sheet=(pictures,),
    )
