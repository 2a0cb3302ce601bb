"""Everything that can be refused before anything is trained, is refused here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medistill.core.errors import RecipeError
from medistill.core.types import Task
from medistill.evaluate.operating import positive_class
from medistill.methods.guided import Guided
from medistill.methods.method import Method
from medistill.models.network import Network, feature_shapes
from medistill.models.profile import count_parameters, normalises_one
from medistill.models.spec import ModelSpec
from medistill.recipe import DecideBlock, Recipe
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.label_rehearsal import check_label_values
from medistill.stages.mask_rehearsal import check_masks
from medistill.stages.member_rehearsal import check_members
from medistill.stages.networks import build_for
from medistill.stages.start_weights import Role, check_start, settled_roles, start_of
from medistill.stages.targets import distil_rows
from medistill.train.settings import TrainSettings


@dataclass(frozen=True, kw_only=True)
class Lecture:
    """One distillation that a recipe asks for.

    Attributes:
        trail: key of the block; empty for that with labels.
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
    second = recipe.predistil
    if second is not None:
        yield Lecture(
            trail="predistil",
            method=second.method,
            train=second.train,
            student=recipe.student,
            teacher=large,
        )
    yield Lecture(
        trail="",
        method=recipe.lesson,
        train=recipe.train,
        student=recipe.student,
        teacher=large,
    )


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a rehearsal must know of the images.

    Attributes:
        task: what the labels are.
        classes: how many.
        rows: images of the fold with fewest that a step of the student may show.
        settled: roles that need their first weights no more.
    """

    task: Task
    classes: int
    rows: int
    settled: frozenset[Role] = frozenset()


def rehearse(context: Context, prepared: Prepared) -> None:
    """Build every pair with random weights and let the methods refuse what they cannot do.

    Costs two forward passes of one image a pair, and reading the files of weights.

    Raises:
        RecipeError: a method cannot do what the recipe, the data or the networks ask of it.
        WeightsError: weights that a network is to start from cannot be used or had.
    """
    images = prepared.images
    check_decisions(context.recipe.decide, images.task, images.classes)
    given = Given(
        task=images.task,
        classes=len(images.classes),
        rows=min(len(distil_rows(prepared, fold)) for fold in context.folds()),
        settled=settled_roles(context, prepared),
    )
    rehearse_given(context.recipe, given, context.reporter.say)


def check_decisions(block: DecideBlock, task: Task, classes: Sequence[str]) -> None:
    """Refuse what the evaluation would refuse after all trainings.

    Raises:
        RecipeError: a positive class that is none, or images of other kinds that are not there.
    """
    if task != "single-label" and block.positive is not None:
        what = f"no one class is the positive one of a {task} task"
        raise RecipeError(where="decide.positive", what=what, cure="Leave it null.")
    if task == "single-label" and (block.rule or block.positive):
        positive_class(block.positive, classes)
    for folder in block.strange:
        if not Path(folder).exists():
            cure = "Mend decide.strange, or remove it."
            raise RecipeError(where="decide.strange", what=f"there is no {folder}", cure=cure)


def rehearse_given(recipe: Recipe, given: Given, say: Callable[[str], None]) -> None:
    """The same before the data stage, of what is known of the images by then.

    Args:
        recipe: every value of the run.
        given: what the images are.
        say: where cautions go.

    Raises:
        RecipeError: as ``rehearse``.
        WeightsError: as ``rehearse``.
    """
    for lecture in lectures(recipe):
        _check_task(lecture, given.task)
    check_masks(recipe, masks=given.task == "segmentation")
    check_label_values(recipe, given.task)
    check_members(recipe)
    for lecture in lectures(recipe):
        _check_batch(lecture, given.rows)
        student, teacher = _pair(lecture, recipe, given.classes)
        _check_norms(lecture.train, student, f"{lecture.trail}.train".lstrip("."))
        _check_method(lecture, student, teacher)
        _check_starts(lecture, recipe, given, student, teacher)
        _say_inert(lecture, given.classes, say)
        if not lecture.trail:
            if recipe.teacher.fit is not None:
                _check_norms(recipe.teacher.fit, teacher, "teacher.fit")
            _say_larger(student, teacher, say)


def _pair(lecture: Lecture, recipe: Recipe, classes: int) -> tuple[Network, Network]:
    """Student and teacher, where a fault names the block of the recipe that holds it."""
    first = lecture.trail == "teacher.predistil"
    trails = ("teacher.model", "teacher.predistil.model") if first else ("student", "teacher.model")
    built = []
    for spec, trail in zip((lecture.student, lecture.teacher), trails, strict=True):
        try:
            built.append(build_for(recipe, spec, classes=classes))
        except RecipeError as error:
            where = f"{trail}.{error.where.removeprefix('model.')}"
            raise RecipeError(where=where, what=error.what, cure=error.cure) from error
    return built[0], built[1]


def _check_task(lecture: Lecture, task: Task) -> None:
    method = lecture.method
    if task not in method.tasks:
        reason, cure = method.undefined[task]
        named, meant = _named(method), " or ".join(sorted(method.tasks))
        raise RecipeError(
            where=_key(lecture),
            what=f"{named} is for {meant} images, and these are {task}: {reason}",
            cure=cure,
        )


def _check_batch(lecture: Lecture, rows: int) -> None:
    size = min(lecture.train.batch_size, rows)
    if size < lecture.method.smallest_batch:
        raise RecipeError(
            where=f"{lecture.trail}.train.batch_size".lstrip("."),
            what=f"{_named(lecture.method)} compares images with each other, and a step has {size}",
            cure=f"Give at least {lecture.method.smallest_batch}, better 32.",
        )


def _check_starts(
    lecture: Lecture, recipe: Recipe, given: Given, student: Network, teacher: Network
) -> None:
    """Refuse weights that a network cannot start from; networks that appear twice are asked once.

    The networks are overwritten: nothing is asked of their values.
    """
    starting: dict[Role, Network] = {}
    if lecture.trail == "teacher.predistil":
        starting = {"elder": teacher}
    elif not lecture.trail:
        starting = {"teacher": teacher, "student": student}
    for role, network in starting.items():
        start = start_of(recipe, role)
        if start is not None and role not in given.settled:
            check_start(network, start, learns=role != "teacher" or recipe.teacher.fitted)


def _check_method(lecture: Lecture, student: Network, teacher: Network) -> None:
    """What the method asks of the pair; a fault names the block of the recipe that holds it."""
    try:
        _check_needs(lecture, teacher)
        lecture.method.adapters(
            feature_shapes(student, lecture.method.wants(student)),
            feature_shapes(teacher, lecture.method.needs - {"logits"}),
        )
    except RecipeError as error:
        if not lecture.trail or not error.where.startswith("method"):
            raise
        where = f"{lecture.trail}.{error.where}"
        raise RecipeError(where=where, what=error.what, cure=error.cure) from error


def _check_needs(lecture: Lecture, teacher: Network) -> None:
    known = teacher.feature_names | {"logits"}
    for name in sorted(lecture.method.needs - known):
        if name.startswith("importance"):
            raise RecipeError(
                where="method.rank_weight",
                what=f"{lecture.teacher.name} shows no ranking of tokens ('{name}')",
                cure="Set method.rank_weight=0, or take a PVTv2 teacher.",
            )
        raise RecipeError(
            where=_naming(lecture.method, name),
            what=f"{lecture.teacher.name} has no feature '{name}' to teach with",
            cure=f"Choose another teacher, or name one of: {', '.join(sorted(known))}.",
        )


def _check_norms(train: TrainSettings, network: Network, key: str) -> None:
    """Refuse steps of one image where a normalisation over the batch would see one number."""
    if train.batch_size < 2 and normalises_one(network):
        raise RecipeError(
            where=f"{key}.batch_size",
            what="a part of this network normalises over a batch, and a step has 1 image",
            cure=f"Give {key}.batch_size=2 or more.",
        )


def _say_inert(lecture: Lecture, classes: int, say: Callable[[str], None]) -> None:
    """Name the terms that cannot teach this number of classes."""
    inert: Callable[[int], Mapping[str, str]] | None = getattr(lecture.method, "inert", None)
    for term, reason in (inert(classes) if inert else {}).items():
        say(f"Left out with {classes} classes: {term}, since {reason}.")


def _say_larger(student: Network, teacher: Network, say: Callable[[str], None]) -> None:
    """Say it before hours are spent: a student that is larger than its teacher is none."""
    sizes = [count_parameters(network) for network in (student, teacher)]
    if sizes[0] >= sizes[1]:
        say(
            f"Caution: the student has {sizes[0]:,} parameters, not fewer than its teacher's "
            f"{sizes[1]:,}. Choose a smaller student (student.name; of ours student.width and "
            "student.depth)."
        )


def _named(method: Method) -> str:
    return type(method.method if isinstance(method, Guided) else method).__name__


def _naming(method: Method, feature: str) -> str:
    """Key of the recipe that asks for a feature of the teacher."""
    guided = isinstance(method, Guided) and feature not in method.method.needs
    return "guide.teacher_map" if guided else "method"


def _key(lecture: Lecture) -> str:
    return f"{lecture.trail}.method".lstrip(".")
