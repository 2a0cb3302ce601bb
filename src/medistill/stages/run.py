"""A whole run, and its single stages; each is a no-op when its inputs have not changed."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import yaml

from medistill.core.allocator import keep_freed_memory
from medistill.core.counting import plural
from medistill.core.errors import RunFolderError
from medistill.core.files import write_text
from medistill.core.run_folder import RECIPE, RunFolder
from medistill.recipe import Recipe, check_combination, dump_recipe, load_recipe, recorded_recipe
from medistill.serve.command import predict_command
from medistill.stages.bundle import BUNDLE, write_student_bundle
from medistill.stages.context import Context, Reporter, SilentReporter
from medistill.stages.data import Prepared, prepare_data
from medistill.stages.evaluation import EVALUATION, evaluate_run
from medistill.stages.finished import again, finished_data
from medistill.stages.rehearsal import rehearse
from medistill.stages.reproducing import exact_recipe
from medistill.stages.standing import caution
from medistill.stages.student import train_control, train_student
from medistill.stages.targets import make_targets
from medistill.stages.teacher import fit_teacher, open_teacher
from medistill.train.launcher import refuse_several
from medistill.train.seeding import prepare_exactness


def open_recipe(
    recipe: str | Recipe,
    *,
    data: str | Path | None = None,
    overrides: tuple[str, ...] = (),
    seeds: int | None = None,
    exact: bool = False,
) -> Recipe:
    """A recipe by name, file or value, with data path, number of seeds and exactness put in.

    Raises:
        RecipeError: unknown recipe or key, ill-typed value, impossible combination.
    """
    chosen = load_recipe(recipe, overrides) if isinstance(recipe, str) else recipe
    if data is not None:
        block = dataclasses.replace(chosen.data, path=str(data))
        chosen = dataclasses.replace(chosen, data=block)
    if seeds is not None:
        chosen = dataclasses.replace(chosen, seeds=seeds)
    if exact:
        chosen = exact_recipe(chosen)
    check_combination(chosen, chosen.name)
    return chosen


def run(
    recipe: str | Recipe,
    *,
    data: str | Path | None = None,
    out: str | Path,
    overrides: tuple[str, ...] = (),
    reporter: Reporter | None = None,
    ship: bool = True,
) -> Path:
    """Run all stages, or continue where an earlier run stopped.

    Args:
        recipe: name, YAML file or value.
        data: the images; overrides ``data.path``.
        out: run folder.
        overrides: ``key=value`` texts.
        reporter: where to speak; silent by default.
        ship: export the student as well; False ends with the evaluation.

    Returns:
        The run folder; it holds ``evaluation/report.html`` and, if shipped, ``bundle``.

    Raises:
        MedistillError: what the user can mend.
    """
    refuse_several()
    context = _context(open_recipe(recipe, data=data, overrides=overrides), out, reporter)
    with context.run.locked():
        _save_recipe(context)
        prepared = prepare_data(context)
        _say_data(context, prepared)
        rehearse(context, prepared)
        _distill(context, prepared)
        evaluate_run(context, prepared)
        if ship:
            write_student_bundle(context, prepared)
    return context.run.path


def teach(
    recipe: str | Recipe,
    *,
    data: str | Path | None = None,
    out: str | Path,
    overrides: tuple[str, ...] = (),
    reporter: Reporter | None = None,
) -> Path:
    """Run the data and teacher stages of every fold."""
    refuse_several()
    context = _context(open_recipe(recipe, data=data, overrides=overrides), out, reporter)
    with context.run.locked():
        _save_recipe(context)
        prepared = prepare_data(context)
        _say_data(context, prepared)
        rehearse(context, prepared)
        for fold in context.folds():
            fit_teacher(context, prepared, fold)
    path = shlex.quote(str(context.run.path))
    context.reporter.say(f"The teacher is ready; next: 'medistill distill {path}'.")
    return context.run.path


def distill(out: str | Path, *, reporter: Reporter | None = None) -> Path:
    """Continue a run up to its students and controls.

    Raises:
        RecipeError: a value that nothing is trained by any more, though an earlier version did.
    """
    refuse_several()
    context = open_run(out, reporter)
    check_combination(context.recipe, str(context.run.path / RECIPE))
    with context.run.locked():
        _distill(context, prepare_data(context))
    command = again(context.run.path)
    context.reporter.say(f"Student and control are trained; {command} judges and ships them.")
    return context.run.path


def export(out: str | Path, *, reporter: Reporter | None = None) -> Path:
    """Export the student of a run whose students are trained.

    Raises:
        RunFolderError: no student, or one from before the recipe, the data or the teacher changed.
    """
    context = open_run(out, reporter)
    with context.run.locked():
        write_student_bundle(context, finished_data(context))
    return context.run.stage(BUNDLE)


def verify_targets(out: str | Path, *, sample: int, reporter: Reporter | None = None) -> None:
    """Recompute a random sample of every fold's cached targets.

    Raises:
        TargetsError: a stored target differs from what the teacher says now.
        RunFolderError: no teacher, or one from before the recipe or the data changed.
    """
    context = open_run(out, reporter)
    with context.run.locked():
        prepared = finished_data(context)
        for fold in context.folds():
            teacher = open_teacher(context, prepared, fold)
            targets = make_targets(context, prepared, fold, teacher)
            check = getattr(targets, "verify", None)
            if check is None:
                context.reporter.say("The targets of this run are live; nothing is stored.")
                return
            context.reporter.say(str(check(sample=sample)))


def demo(
    out: str | Path,
    *,
    overrides: tuple[str, ...] = (),
    reporter: Reporter | None = None,
) -> Path:
    """The whole pipeline on embedded phantoms, up to predictions of the shipped bundle."""
    speaker = reporter or SilentReporter()
    folder = run("demo", out=out, overrides=overrides, reporter=speaker)
    _predict_some(open_run(folder, speaker))
    return folder


def _predict_some(context: Context) -> None:
    """Give the shipped bundle a few images that nothing was trained on."""
    prepared = prepare_data(context)
    samples = [prepared.images.samples[row] for row in prepared.parts[0].evaluate[:8]]
    out = context.run.path / "predictions.csv"
    bundle = context.run.stage(BUNDLE)
    predict_command(bundle, [sample.path for sample in samples], out)
    context.reporter.say(f"Predictions of {len(samples)} unseen phantoms: {out}")
    context.reporter.say(f"Report: {context.run.stage(EVALUATION) / 'report.html'}")


def open_run(out: str | Path, reporter: Reporter | None = None) -> Context:
    """An existing run with the recipe that it was made from, to be read.

    Raises:
        RunFolderError: the folder is not a run.
        RecipeError: its recipe is not YAML, or holds an unknown key or an ill-typed value.
    """
    path = Path(out)
    recipe = path / RECIPE
    if not recipe.is_file():
        raise RunFolderError(
            where=path, what="is not a run folder", cure="Start one with 'medistill run'."
        )
    return _context(recorded_recipe(recipe.read_bytes(), str(recipe)), path, reporter)


def _context(recipe: Recipe, out: str | Path, reporter: Reporter | None) -> Context:
    keep_freed_memory()
    if recipe.train.exact:
        # Teachers are asked on the device before anything is trained.
        prepare_exactness()
    return Context(recipe, RunFolder(Path(out)), reporter or SilentReporter())


def _save_recipe(context: Context) -> None:
    text = yaml.safe_dump(dump_recipe(context.recipe), sort_keys=False, allow_unicode=True)
    write_text(context.run.path / RECIPE, text)


def _say_data(context: Context, prepared: Prepared) -> None:
    images = prepared.images
    fold = context.folds()[0]
    parts, unlabelled = prepared.parts[fold], prepared.unlabelled[fold]
    counts = ", ".join(f"{name} {len(rows)}" for name, rows in parts.named().items())
    context.reporter.say(
        f"Data: {plural('image', len(prepared.store))} ({images.name}), classes "
        f"{', '.join(images.classes)}; {counts}"
        + (f"; unlabelled {len(unlabelled.rows)}" if unlabelled.rows else "")
    )
    left_out = unlabelled.sentence("" if context.scope(fold) == "" else f" of fold {fold}")
    if left_out:
        context.reporter.say(left_out)
    if prepared.removed:
        context.reporter.say(
            f"Left out: {plural('training image', prepared.removed)} whose {images.group_word} "
            "lies in the evaluation part."
        )
    for caveat in images.caveats:
        context.reporter.say(f"Caution: {caveat}")


def _distill(context: Context, prepared: Prepared) -> None:
    for fold in context.folds():
        teacher = fit_teacher(context, prepared, fold)
        # The first control comes first: it says whether the teacher has anything to hand on.
        train_control(context, prepared, fold, 0)
        if doubt := caution(context, prepared, fold, teacher):
            context.reporter.say(doubt)
        targets = make_targets(context, prepared, fold, teacher)
        for seed in range(context.recipe.seeds):
            train_student(context, prepared, fold, seed, teacher, targets)
            train_control(context, prepared, fold, seed)
