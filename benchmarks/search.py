"""Equal search on *select*: as many trials for each method as for the control.

A plan's block ``search`` holds ``seed`` (of the trials; the confirmation has others), ``folds``
(whose *select* parts judge), ``by`` (``auroc``, ``loss`` or ``dice``) and ``trials``: for
``control`` and each searched method a list of lists of overrides, all of the same length.

A trial looks at nothing of its own fold's *evaluate*. With several folds the search is still not
nested: one winner serves all folds, and what is *select* in one fold is *evaluate* in another.
Method and control gain from that alike; whoever reports the figures says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Literal

from benchmarks.fits import SCORES, Fit, Role, scored_fit
from benchmarks.plans import plan_recipe
from benchmarks.reuse import take_over_all
from benchmarks.rows import Rows
from medistill.core.errors import RecipeError
from medistill.core.run_folder import RunFolder
from medistill.recipe import Recipe
from medistill.stages.context import Context, Reporter
from medistill.stages.data import prepare_data
from medistill.stages.rehearsal import rehearse

CONTROL = "control"
COLUMNS = ("data", "name", "trial", "fold", "overrides", *SCORES, "seconds")
Overrides = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is tried.

    Attributes:
        seed: of every trial.
        folds: whose *select* parts judge; a trial's score is their mean.
        by: the score; the highest wins, of ``loss`` the lowest.
        trials: overrides to try, by method, and for the control.
    """

    seed: int
    folds: tuple[int, ...]
    by: Literal["auroc", "loss", "dice"]
    trials: Mapping[str, tuple[Overrides, ...]]

    @classmethod
    def read(cls, plan: Mapping[str, Any]) -> Search | None:
        """The block ``search`` of a plan, or None.

        Raises:
            RecipeError: unequal numbers of trials, a method that the plan has not, or a seed of
                the confirmation.
        """
        block = plan.get("search")
        if block is None:
            return None
        trials = {name: tuple(map(tuple, each)) for name, each in block["trials"].items()}
        counts = {name: len(each) for name, each in trials.items()}
        strange = sorted(set(trials) - {CONTROL, *plan["methods"]})
        for broken, what, cure in (
            (len(set(counts.values())) != 1, f"unequal trials: {counts}", "Give each as many."),
            (CONTROL not in trials, "the control is not searched", "Add search.trials.control."),
            (bool(strange), f"no method is called {strange}", "Name methods of this plan."),
            (block["seed"] < plan["seeds"], "its seed is confirmed with", "Give 1000."),
        ):
            if broken:
                raise RecipeError(where="search", what=what, cure=cure)
        return cls(seed=block["seed"], folds=tuple(block["folds"]), by=block["by"], trials=trials)

    def recipe(self, plan: Mapping[str, Any], data: str, name: str, trial: int) -> Recipe:
        """What a trial runs; the control's belong to the first method's student."""
        method = next(iter(plan["methods"])) if name == CONTROL else name
        given = (*plan["data"][data], *plan["methods"][method], *self.trials[name][trial])
        return plan_recipe(plan, given, "seeds=1", f"train.seed={self.seed}")

    def check_students(self, plan: Mapping[str, Any]) -> None:
        """See that one control serves all searched methods.

        Raises:
            RecipeError: methods are searched for different networks; the control's trials are of
                the first, and another network may want another learning rate.
        """
        data = next(iter(plan["data"]))
        students = {name: self.recipe(plan, data, name, 0).student for name in self.trials}
        other = [name for name, student in students.items() if student != students[CONTROL]]
        if other:
            raise RecipeError(
                where="search.trials",
                what=f"'{other[0]}' has another student than the control that is searched",
                cure="Give it a plan of its own, where its control is searched too.",
            )

    def best(self, rows: Iterable[Mapping[str, str]], data: str, name: str) -> int:
        """Number of the trial with the best mean score; the earlier of equal ones."""
        scores: dict[int, list[float]] = {}
        for row in rows:
            if (row["data"], row["name"]) == (data, name):
                scores.setdefault(int(row["trial"]), []).append(float(row[self.by]))
        sign = -1 if self.by == "loss" else 1
        return max(sorted(scores), key=lambda trial: sign * mean(scores[trial]))


def winners(
    search: Search, plan: Mapping[str, Any], out: Path, reporter: Reporter
) -> dict[tuple[str, str], Overrides]:
    """Run what of the trials is missing; the overrides to confirm, by data and method.

    A method without trials of its own is an ablation: the first searched method's winner, and then
    its own overrides.
    """
    search.check_students(plan)
    table = Rows(out / "trials.csv", COLUMNS, keys=4)
    chosen: dict[tuple[str, str], Overrides] = {}
    searched = [name for name in search.trials if name != CONTROL]
    for data in plan["data"]:
        for name in search.trials:
            for trial in range(len(search.trials[name])):
                _try(search, plan, (data, name, trial), table, reporter)
        rows = table.all()
        found = {name: search.best(rows, data, name) for name in search.trials}
        best = {name: search.trials[name][trial] for name, trial in found.items()}
        for method, own in plan["methods"].items():
            ablated = (*plan["methods"][searched[0]], *best[searched[0]], *own)
            winner = (*own, *best[method]) if method in best else ablated
            chosen[data, method] = (*winner, *best[CONTROL])
        for name, overrides in best.items():
            reporter.say(f"Best of {data} for {name}: {' '.join(overrides) or 'the recipe'}")
    return chosen


def _try(
    search: Search,
    plan: Mapping[str, Any],
    key: tuple[str, str, int],
    table: Rows,
    reporter: Reporter,
) -> None:
    data, name, trial = key
    wanted = [(data, name, str(trial), str(fold)) for fold in search.folds]
    missing = [each for each in wanted if each not in table.done()]
    if not missing:
        return
    recipe = search.recipe(plan, data, name, trial)
    context = Context(recipe, RunFolder(table.path.parent / f"{data}-search"), reporter)
    role: Role = "control" if name == CONTROL else "student"
    with context.run.locked():
        take_over_all(context.run, data)
        prepared = prepare_data(context)
        rehearse(context, prepared)
        for each in missing:
            fit = Fit(role=role, fold=int(each[3]), seed=0, part="select")
            scores = scored_fit(context, prepared, fit)
            values: Sequence[str] = (*each, " ".join(search.trials[name][trial]))
            table.add(dict(zip(COLUMNS, values, strict=False)) | scores)
