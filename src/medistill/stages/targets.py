"""Targets of a run: what the student sees, and where the teacher's word on it comes from."""

from __future__ import annotations

from collections.abc import Sequence

from medistill.core.files import sha256_json
from medistill.data.views import ViewPolicy
from medistill.methods.method import Method
from medistill.recipe import Recipe
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.teacher.cache import open_cache
from medistill.teacher.cache_plan import plan_cache
from medistill.teacher.cache_write import write_cache
from medistill.teacher.frozen import FrozenTeacher, Precision
from medistill.teacher.live import LiveTargets
from medistill.teacher.targets import Targets
from medistill.train.precision import resolve_precision


def teacher_side(targets: Targets | None, teacher: FrozenTeacher | None) -> int | None:
    """Side at which a live teacher sees the views; None where it is not asked."""
    return teacher.size if isinstance(targets, LiveTargets) and teacher is not None else None


def distil_rows(prepared: Prepared, fold: int) -> tuple[int, ...]:
    """What the student sees: the *fit* part and what the fold may use without labels."""
    return prepared.parts[fold].fit + prepared.unlabelled[fold].rows


def teacher_precision(recipe: Recipe, teacher: FrozenTeacher) -> Precision:
    """In which the teacher computes where it is; ``auto`` as training understands it."""
    wished = recipe.targets.precision
    if wished != "auto":
        return wished
    return "bfloat16" if resolve_precision("auto", teacher.device) == "bf16-mixed" else "float32"


def make_targets(
    context: Context,
    prepared: Prepared,
    fold: int,
    teacher: FrozenTeacher,
    *,
    method: Method | None = None,
) -> Targets | None:
    """What the student of a fold learns from; None where nothing is asked of a teacher.

    ``method`` is whose targets are meant; the recipe's by default. A cache holds those of all
    stages, so that the teacher is asked once about a view.
    """
    recipe = context.recipe
    needs = (method or recipe.lesson).needs
    if not needs:
        return None
    if recipe.targets.mode == "cached":
        needs = recipe.asked
    rows, views = distil_rows(prepared, fold), recipe.views
    return targets_of(context, prepared, context.scope(fold), teacher, needs, rows, views)


def targets_of(
    context: Context,
    prepared: Prepared,
    scope: str,
    teacher: FrozenTeacher,
    needs: frozenset[str],
    rows: Sequence[int],
    views: ViewPolicy,
) -> Targets:
    """Live targets, or a cache in ``scope``, written or continued where it is not whole."""
    precision = teacher_precision(context.recipe, teacher)
    if context.recipe.targets.mode == "live":
        return LiveTargets(teacher, needs, precision=precision)
    plan = plan_cache(
        store=prepared.store,
        rows=rows,
        policy=views,
        teacher=teacher,
        needs=needs,
        precision=precision,
    )
    # Named by its key: a changed teacher or view policy gets a cache of its own.
    folder = context.run.stage(f"{scope}targets/{sha256_json(plan.key.to_json())[:12]}")
    if not plan.is_whole(folder):
        context.reporter.say(plan.sentence)
        counting = context.reporter.counting("Asking the teacher")
        write_cache(plan, folder, batch_size=64, progress=counting)
    return open_cache(plan, folder)
