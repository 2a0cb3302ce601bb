"""Everything that can be refused before anything is trained, is refused here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from medistill.core.errors import RecipeError
from medistill.methods.method import Method
from medistill.models.network import Network, feature_shapes
from medistill.models.profile import count_parameters
from medistill.models.spec import ModelSpec
from medistill.recipe import Recipe, StudentPredistilBlock
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.teacher import build
from medistill.train.settings import TrainSettings


@dataclass(frozen=True, kw_only=True)
class Lecture:
    """One distillation that a recipe asks for.

    Attributes:
        trail: key of the block.
        method: how targets become a loss.
        train: how long and how fast.
        student: who learns.
        teacher: who is asked.
    """

    trail: str
    method: Method
    train: TrainSettings
    student: ModelSpec
    teacher: ModelSpec


def lectures(recipe: Recipe) -> Iterator[Lecture]:
    """Every distillation of a recipe."""
    large, first = recipe.teacher.model, recipe.teacher.predistil
    if first is not None:
        yield Lecture(
            trail="teacher.predistil",
            method=first.method,
            train=first.train,
            student=large,
            teacher=first.model,
        )
    blocks: dict[str, Recipe | StudentPredistilBlock | None]
    blocks = {"predistil": recipe.predistil, "": recipe}
    for trail, block in blocks.items():
        if block is not None:
            yield Lecture(
                trail=trail,
                method=block.method,
                train=block.train,
                student=recipe.student,
                teacher=large,
            )


def rehearse(context: Context, prepared: Prepared) -> None:
    """Build every pair with random weights and let the methods refuse what they cannot do.

    Costs two forward passes of one image a pair.

    Raises:
        RecipeError: a method cannot do what the recipe, the data or the networks ask of it.
    """
    _check_masks(context, prepared)
    for lecture in lectures(context.recipe):
        _check_task(lecture, prepared)
        _check_batch(lecture, prepared, context)
        student, teacher = _pair(lecture, context, prepared)
        _check_needs(lecture, teacher)
        features = lecture.method.needs - {"logits"}
        lecture.method.adapters(
            feature_shapes(student, lecture.method.wants(student)),
            feature_shapes(teacher, features),
        )
        _say_inert(lecture, context, len(prepared.images.classes))
        if lecture.method is context.recipe.method:
            _say_larger(student, teacher, context)


def _pair(lecture: Lecture, context: Context, prepared: Prepared) -> tuple[Network, Network]:
    """Student and teacher, where a fault names the block of the recipe that holds it."""
    first = lecture.trail == "teacher.predistil"
    trails = ("teacher.model", "teacher.predistil.model") if first else ("student", "teacher.model")
    built = []
    for spec, trail in zip((lecture.student, lecture.teacher), trails, strict=True):
        try:
            built.append(build(context, prepared, spec))
        except RecipeError as error:
            where = f"{trail}.{error.where.removeprefix('model.')}"
            raise RecipeError(where=where, what=error.what, cure=error.cure) from error
    return built[0], built[1]


def _check_masks(context: Context, prepared: Prepared) -> None:
    """Refuse what masks cannot follow, and networks that make none."""
    recipe, masks = context.recipe, prepared.masks is not None
    fit = recipe.teacher.fit
    chosen = {recipe.train.select_by, fit.select_by if fit else recipe.train.select_by}
    score = "dice" if masks else "auroc"
    mixes = recipe.train.mixes or (fit is not None and fit.mixes)
    for broken, key, what, cure in (
        (
            not chosen <= {score, "loss"},
            "train.select_by, teacher.fit.select_by",
            f"{' and '.join(sorted(chosen))} cannot choose between networks for these images",
            f"Set both to {score} or loss.",
        ),
        (
            masks and mixes,
            "train.mixup",
            "masks cannot be mixed",
            "Set mixup and cutmix to 0.",
        ),
        (
            masks and recipe.views.fit != "stretch",
            "views.fit",
            f"masks are brought back to the image's own size, which '{recipe.views.fit}' forgets",
            "Set views.fit=stretch.",
        ),
        (
            masks and None in (recipe.student.decoder, recipe.teacher.model.decoder),
            "student.decoder, teacher.model.decoder",
            "a network without a decoder makes no masks",
            "Set both to mlp, with pyramids such as pvt_v2_b0.",
        ),
        (
            not masks and {recipe.student.decoder, recipe.teacher.model.decoder} != {None},
            "student.decoder, teacher.model.decoder",
            "these images have labels and no masks",
            "Leave decoder out, or give images with masks.",
        ),
    ):
        if broken:
            raise RecipeError(where=key, what=what, cure=cure)


def _check_task(lecture: Lecture, prepared: Prepared) -> None:
    task = prepared.images.task
    if task not in lecture.method.tasks:
        meant = " or ".join(sorted(lecture.method.tasks))
        raise RecipeError(
            where=f"{_key(lecture)}.name",
            what=f"{type(lecture.method).__name__} is for {meant} images, and these are {task}",
            cure="Choose another method, or other labels.",
        )


def _check_batch(lecture: Lecture, prepared: Prepared, context: Context) -> None:
    rows = min(len(prepared.parts[fold].fit) for fold in context.folds())
    size = min(lecture.train.batch_size, rows + len(prepared.unlabelled))
    if size < lecture.method.smallest_batch:
        raise RecipeError(
            where=f"{lecture.trail}.train.batch_size".lstrip("."),
            what=f"{type(lecture.method).__name__} compares images with each other, and a step "
            f"has {size}",
            cure=f"Give at least {lecture.method.smallest_batch}, better 32.",
        )


def _check_needs(lecture: Lecture, teacher: Network) -> None:
    known = teacher.feature_names | {"logits"}
    for name in sorted(lecture.method.needs - known):
        raise RecipeError(
            where=_key(lecture),
            what=f"{lecture.teacher.name} has no feature '{name}' to teach with",
            cure=f"Choose another teacher, or name one of: {', '.join(sorted(known))}.",
        )


def _say_inert(lecture: Lecture, context: Context, classes: int) -> None:
    """Name the terms that cannot teach this number of classes."""
    inert: Callable[[int], Mapping[str, str]] | None = getattr(lecture.method, "inert", None)
    for term, reason in (inert(classes) if inert else {}).items():
        context.reporter.say(f"Left out with {classes} classes: {term}, since {reason}.")


def _say_larger(student: Network, teacher: Network, context: Context) -> None:
    """Say it before hours are spent: a student that is larger than its teacher is none."""
    sizes = [count_parameters(network) for network in (student, teacher)]
    if sizes[0] >= sizes[1]:
        context.reporter.say(
            f"Caution: the student has {sizes[0]:,} parameters, not fewer than its teacher's "
            f"{sizes[1]:,}. Choose a narrower student (student.width, student.depth)."
        )


def _key(lecture: Lecture) -> str:
    return f"{lecture.trail}.method".lstrip(".")
