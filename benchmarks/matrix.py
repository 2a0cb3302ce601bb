"""Run a matrix of (data, method, seed, fold); resumable, one row stored the moment it is done.

    python benchmarks/matrix.py benchmarks/covid.yaml --out runs/covid

Each (data, method) is one run folder, so every finished fit stays usable. ``rows.csv`` gets one
line a (data, method, seed, fold, role) as soon as that fit and its scores are there; a second
start skips what it holds. When a (data, method) is whole, its run is evaluated and exported.
The file is YAML: ``recipe``, ``seeds``, ``data: {name: [overrides]}``, ``methods: {name:
[overrides]}``, where an override ``recipe=NAME`` takes another recipe for that method;
``$MEDISTILL_DATA`` in it is expanded. What an earlier method of the same data made from the same
inputs (stored images, teachers, targets, controls) is taken over. Scores in ``rows.csv`` are those
of the part named by ``--part``: *select* for a search, *evaluate* for what is reported.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from medistill.core.run_folder import RunFolder
from medistill.recipe import Recipe, load_recipe
from medistill.stages.console import ConsoleReporter
from medistill.stages.context import Context
from medistill.stages.data import Prepared, prepare_data
from medistill.stages.mask_prediction import mask_scores
from medistill.stages.prediction import predict_rows, predict_teacher
from medistill.stages.rehearsal import rehearse
from medistill.stages.run import run
from medistill.stages.scoring import selection_scores
from medistill.stages.student import (
    open_student,
    stage_name,
    train_control,
    train_student,
)
from medistill.stages.targets import make_targets
from medistill.stages.teacher import fit_teacher
from medistill.teacher.frozen import FrozenTeacher

COLUMNS = ("data", "method", "fold", "seed", "role", "part", "auroc", "loss", "seconds", "dice")
ROLES = ("teacher", "student", "control")
_RECIPE = "recipe="


@dataclass(frozen=True)
class Rows:
    """The table of finished fits."""

    path: Path

    def done(self) -> set[tuple[str, ...]]:
        """Keys of the finished rows."""
        return {_key(row) for row in self._read()}

    def teacher(self, key: tuple[str, ...]) -> dict[str, str] | None:
        """The row of a teacher under another seed, since all seeds of a fold share theirs."""
        shared = ("data", "method", "fold", "role", "part")
        asked = dict(zip(COLUMNS, key, strict=False))
        same = (row for row in self._read() if all(row[name] == asked[name] for name in shared))
        return next(same, None) if asked["role"] == "teacher" else None

    def _read(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    def add(self, row: dict[str, Any]) -> None:
        """Append a row; it is on disk when this returns."""
        new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS)
            if new:
                writer.writeheader()
            writer.writerow(row)
            stream.flush()
            os.fsync(stream.fileno())


def _key(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in COLUMNS[:6])


def cells(plan: dict[str, Any]) -> Iterator[tuple[str, str, Recipe]]:
    """Every (data, method) with its recipe."""
    for data, data_overrides in plan["data"].items():
        for method, overrides in plan["methods"].items():
            values = [os.path.expandvars(text) for text in (*data_overrides, *overrides)]
            named = [text.removeprefix(_RECIPE) for text in values if text.startswith(_RECIPE)]
            values = [text for text in values if not text.startswith(_RECIPE)]
            recipe = named[-1] if named else plan["recipe"]
            yield data, method, load_recipe(recipe, (*values, f"seeds={plan['seeds']}"))


def take_over(run: RunFolder, earlier: Path) -> None:
    """Link stages that another run finished; a stage made from other inputs is made anew later."""
    for manifest in sorted(earlier.rglob("manifest.json")):
        stage = manifest.parent.relative_to(earlier)
        wanted = run.stage(stage.as_posix())
        if _is_shared(stage) and not wanted.exists():
            wanted.parent.mkdir(parents=True, exist_ok=True)
            # Finished stages are never written to, so both runs may hold the same files.
            shutil.copytree(manifest.parent, wanted, copy_function=os.link)


def _is_shared(stage: Path) -> bool:
    """Whether a stage may be the same in runs of several methods."""
    names = {"data", "teacher", "teacher-base", "control"}
    whole = not any(part.endswith((".partial", ".old")) for part in stage.parts)
    return whole and (stage.name in names or stage.parent.name == "targets")


def run_cell(context: Context, rows: Rows, key: tuple[str, str], part: str) -> None:
    """All folds and seeds of one (data, method), seeds outermost so that early rows are useful."""
    prepared = prepare_data(context)
    rehearse(context, prepared)
    for seed in range(context.recipe.seeds):
        for fold in context.folds():
            for role in ROLES:
                name = (*key, str(fold), str(seed), role, part)
                if name in rows.done():
                    continue
                known = rows.teacher(name)
                rows.add({**known, "seed": name[3]} if known else _row(context, prepared, name))


def _row(context: Context, prepared: Prepared, key: tuple[str, ...]) -> dict[str, Any]:
    fold, seed, role, part = int(key[2]), int(key[3]), key[4], key[5]
    started = time.monotonic()
    indices = prepared.parts[fold].named()[part]  # type: ignore[index]
    teacher = fit_teacher(context, prepared, fold)
    if role == "student":
        targets = make_targets(context, prepared, fold, teacher)
        train_student(context, prepared, fold, seed, teacher, targets)
    elif role == "control":
        train_control(context, prepared, fold, seed)
    scores = _scores(context, prepared, key, teacher, indices)
    seconds = time.monotonic() - started
    if role != "teacher":
        seconds = context.run.manifest(stage_name(context, fold, seed, role))["seconds"]
    found = [scores.get(name, float("nan")) for name in ("auroc", "loss", "dice")]
    auroc, loss, dice = ("" if value != value else f"{value:.4f}" for value in found)
    values = (*key, auroc, loss, f"{seconds:.1f}", dice)
    return dict(zip(COLUMNS, values, strict=True))


def _scores(
    context: Context,
    prepared: Prepared,
    key: tuple[str, ...],
    teacher: FrozenTeacher,
    indices: Sequence[int],
) -> Mapping[str, float]:
    """AUROC and loss of labels, Dice and loss of masks."""
    fold, seed, role = int(key[2]), int(key[3]), key[4]
    if prepared.masks is not None:
        # A teacher of several members is judged by its first here, by their mean in the report.
        network = teacher.members[0]
        if role != "teacher":
            network = open_student(context, prepared, fold, seed, role)
        return mask_scores(network, prepared, indices)
    if role == "teacher":
        probabilities = predict_teacher(teacher, prepared, indices)
    else:
        network = open_student(context, prepared, fold, seed, role)
        probabilities = predict_rows(network, prepared, indices)
    return selection_scores(prepared.labels[list(indices)], probabilities, prepared.images.task)


def main() -> None:
    """Run the matrix that a YAML file describes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--part", choices=("select", "evaluate"), default="evaluate")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    plan = yaml.safe_load(options.plan.read_text(encoding="utf-8"))
    options.out.mkdir(parents=True, exist_ok=True)
    rows, reporter = Rows(options.out / "rows.csv"), ConsoleReporter()
    for data, method, recipe in cells(plan):
        folder = options.out / f"{data}-{method}"
        context = Context(recipe, RunFolder(folder), reporter)
        with context.run.locked():
            for earlier in sorted(options.out.glob(f"{data}-*/")):
                if earlier != folder:
                    take_over(context.run, earlier)
            run_cell(context, rows, (data, method), options.part)
        if options.part == "evaluate":
            run(recipe, out=folder, reporter=reporter)


if __name__ == "__main__":
    main()
