"""Run a matrix of (data, method, seed, fold); resumable, one row stored the moment it is done.

    python -m benchmarks.matrix benchmarks/covid.yaml --out runs/covid

Each (data, method) is one run folder, so every finished fit stays usable. ``rows.csv`` gets one
line a (data, method, seed, fold, role) as soon as that fit and its scores are there; a second
start skips what it holds. When a (data, method) is whole, its run is evaluated and exported.
The file is YAML: ``recipe``, ``seeds``, ``data: {name: [overrides]}``, ``methods: {name:
[overrides]}``, where an override ``recipe=NAME`` takes another recipe for that method;
``$MEDISTILL_DATA`` is expanded. With a block ``search`` (see ``benchmarks.search``) trials come
first, in ``trials.csv``, and the winners are confirmed. What an earlier method of the same data
made from the same inputs (stored images, teachers, targets, controls) is taken over. Scores in
``rows.csv`` are those of the part named by ``--part``: *select* for an ablation, *evaluate* for
what is reported. Further ``key=value`` arguments go to every recipe, to see whether a plan starts.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from benchmarks.fits import ROLES, Fit, scored_fit
from benchmarks.plans import plan_recipe, read_plan
from benchmarks.reuse import take_over_all
from benchmarks.rows import Rows
from benchmarks.search import Overrides, Search, winners
from medistill.core.allocator import keep_freed_memory
from medistill.core.ending import run_program
from medistill.core.run_folder import RunFolder
from medistill.recipe import Recipe
from medistill.stages.console import ConsoleReporter
from medistill.stages.context import Context
from medistill.stages.data import prepare_data
from medistill.stages.rehearsal import rehearse
from medistill.stages.run import run

COLUMNS = ("data", "method", "fold", "seed", "role", "part", "auroc", "loss", "seconds", "dice")


def cells(
    plan: Mapping[str, Any], found: Mapping[tuple[str, str], Overrides] = MappingProxyType({})
) -> Iterator[tuple[str, str, Recipe]]:
    """Every (data, method) with its recipe.

    Args:
        plan: the plan.
        found: what a search puts in the place of a method's overrides, by data and method.
    """
    for data, data_overrides in plan["data"].items():
        for method, overrides in plan["methods"].items():
            given = (*data_overrides, *found.get((data, method), overrides))
            yield data, method, plan_recipe(plan, given, f"seeds={plan['seeds']}")


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
                # All seeds of a fold share its teacher.
                known = rows.like(name, but="seed") if role == "teacher" else None
                scores = known or scored_fit(
                    context, prepared, Fit(role=role, fold=fold, seed=seed, part=part)
                )
                rows.add(scores | dict(zip(COLUMNS, name, strict=False)))


def main() -> None:
    """Run the matrix that a YAML file describes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--part", choices=("select", "evaluate"), default="evaluate")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    keep_freed_memory()
    plan, reporter = read_plan(options.plan, tuple(options.overrides)), ConsoleReporter()
    options.out.mkdir(parents=True, exist_ok=True)
    search = Search.read(plan)
    found = winners(search, plan, options.out, reporter) if search else {}
    rows = Rows(options.out / "rows.csv", COLUMNS, keys=6)
    for data, method, recipe in cells(plan, found):
        folder = options.out / f"{data}-{method}"
        context = Context(recipe, RunFolder(folder), reporter)
        with context.run.locked():
            take_over_all(context.run, data)
            run_cell(context, rows, (data, method), options.part)
        if options.part == "evaluate":
            run(recipe, out=folder, reporter=reporter)


if __name__ == "__main__":
    run_program(main, "matrix")
