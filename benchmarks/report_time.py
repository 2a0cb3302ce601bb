"""How long the statistics and the report of an evaluation take: no training, no network.

    python -m benchmarks.report_time --images 1000

Models are drawn at random, one image a patient, with four subgroups; wall and processor seconds of
everything between the models' answers and the finished report. The pictures of the report and the
answers themselves are left out: they take as long as the networks do.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from medistill.core.ending import run_program
from medistill.core.types import Task
from medistill.evaluate.comparison import evaluate
from medistill.evaluate.decision_values import decision_values
from medistill.evaluate.decisions import Answers, Rules, fit_decisions
from medistill.evaluate.examined import Examined
from medistill.evaluate.grouped import Table
from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.subgroups import subgroups
from medistill.report.html import write_report

ROLES = ("teacher", "student", "control")
TASKS: tuple[Task, ...] = ("single-label", "multi-label")


def answers(images: int, classes: int, seed: int, task: Task) -> Answers:
    """Logits of a model of some skill, with features."""
    random = np.random.default_rng(seed)
    flags = random.random((images, classes)) < 0.3
    labels = flags.astype(float) if task == "multi-label" else flags.argmax(axis=1)
    truth = flags if task == "multi-label" else np.eye(classes)[labels]
    return Answers(
        logits=2 * truth + random.normal(size=(images, classes)),
        labels=labels,
        groups=[f"{seed}-{n}" for n in range(images)],
        features=random.normal(size=(images, 96)),
    )


def examined(images: int, classes: int, seed: int, task: Task) -> Examined:
    """A model fitted on a third as many images."""
    names = [f"class {c}" for c in range(classes)]
    calibrate = answers(images // 3, classes, 10 + seed, task)
    known = answers(images // 3, classes, 20 + seed, task)
    fitted = fit_decisions(calibrate, task=task, classes=names, rules=Rules(), known=known)
    asked = answers(images, classes, 0, task)
    noise = np.random.default_rng(30 + seed).normal(size=asked.logits.shape)
    other = Answers(
        logits=asked.logits + noise,
        labels=asked.labels,
        groups=asked.groups,
        features=asked.features,
    )
    return Examined(fitted=fitted, calibrate=calibrate, evaluate=other)


def table(model: Examined, task: Task) -> Table:
    """Its predictions."""
    said = model.evaluate
    kind = LabelPredictions if task == "multi-label" else Predictions
    names = [f"image {n}" for n in range(len(said.groups))]
    chances = model.chances(task=task)
    return kind(names=names, groups=said.groups, labels=said.labels, probabilities=chances)


def make_report(images: int, classes: int, task: Task, folder: Path) -> None:
    """From answers to report.html."""
    names = [f"class {c}" for c in range(classes)]
    models = {role: [examined(images, classes, n, task)] for n, role in enumerate(ROLES)}
    columns = [{"sex": "FM"[n % 2], "site": "AB"[n // 7 % 2]} for n in range(images)]
    found = evaluate(
        {role: [table(model, task) for model in seeds] for role, seeds in models.items()},
        classes=names,
        group_word="patient",
        parts=subgroups(columns),
    )
    decisions = decision_values(models, task=task, classes=names, word="patient")
    made = {"decisions": decisions, "flow": {}, "explanation": None, "task": task}
    write_report(folder, {**found, **made})


def main() -> None:
    """Print seconds for two kinds of labels and 2 and 14 classes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=1000)
    images = parser.parse_args().images
    for task in TASKS:
        for classes in (2, 14):
            wall, busy = time.perf_counter(), time.process_time()
            with tempfile.TemporaryDirectory() as folder:
                make_report(images, classes, task, Path(folder))
            spent = time.perf_counter() - wall, time.process_time() - busy
            print(f"{task}, {classes} classes: {spent[0]:.1f} s wall, {spent[1]:.1f} s processor")


if __name__ == "__main__":
    run_program(main, "report_time")
