"""What a run would do, with estimates of time, memory and disk; nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medistill.recipe import PredistilBlock, Recipe
from medistill.stages.costs import TRAINED_BYTES, Cost, measure
from medistill.stages.explanation import BATCH as EXPLAINED
from medistill.stages.prediction import BATCH
from medistill.stages.rehearsal import Given, rehearse_given
from medistill.stages.survey import Survey, survey
from medistill.stages.training import lengthened, steps_for
from medistill.train.launcher import refuse_several
from medistill.train.settings import TrainSettings

# Seconds an image on one core: decode, hash and check it; draw a phantom.
_READ, _DRAW = 0.025, 0.02
# Seconds to export and measure two graphs, to resample, to draw the report and to ship a bundle.
_JUDGE = 60.0
# PyTorch, timm and the rest, resident after they were imported.
_LIBRARIES = 850 * 2**20
# The exporter, and a runtime that holds both graphs.
_EXPORTER = 400 * 2**20
# The bundle holds the student twice, and once more as an archive; a report has pictures.
_BUNDLES, _REPORT_BYTES = 4, 1.5 * 2**20
# A finished training keeps its weights, and the state that a resumed one would go on from.
_KEPT_BYTES = TRAINED_BYTES + 4
Line = tuple[str, str, float]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much there is to do.

    Attributes:
        labelled: images with labels.
        unlabelled: images without.
        fit: labelled images of a fold that are trained on.
        select: labelled images of a fold that every epoch is judged by.
        folds: how many are run.
        phantoms: whether the images are drawn first.
    """

    labelled: int
    unlabelled: int
    fit: int
    select: int
    folds: int
    phantoms: bool

    @property
    def seen(self) -> int:
        """Images of a fold that the student sees."""
        return self.fit + self.unlabelled


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What each network of a run costs here; ``elder`` teaches the teacher, where one does."""

    teacher: Cost
    student: Cost
    elder: Cost | None


def plan(recipe: Recipe, out: Path) -> str:
    """The plan of a run as text, rehearsed: what a run would refuse, its plan refuses.

    Times come from training steps of the real networks on this machine, so they are good to
    perhaps a half; a busy machine, then or now, moves them.

    Raises:
        MachineError: a launcher started several processes.
        RecipeError: what is refused before training, as far as names, labels and networks tell.
        DataError: no images were named, they cannot be read, or cannot be cut into parts.
    """
    refuse_several()
    seen = survey(recipe)
    sizes = _sizes(recipe, seen)
    said = [f"Caution: {caveat}" for caveat in seen.caveats]
    given = Given(task=seen.task, classes=len(seen.classes), rows=sizes.seen)
    rehearse_given(recipe, given, said.append)
    costs = _costs(recipe)
    lines = _lines(recipe, sizes, costs)
    total = sum(seconds for _, _, seconds in lines)
    text = [f"Plan of '{recipe.name}' into {out}", ""]
    text += [f"  {name:18} {what:58} {_duration(seconds):>9}" for name, what, seconds in lines]
    memory = memory_bytes(recipe, costs)
    disk = disk_bytes(recipe, sizes, costs)
    text += [
        "",
        f"  time about {_duration(total)}, memory about {memory / 2**30:.1f} GiB, "
        f"disk about {disk / 2**20:.0f} MiB",
        *said,
    ]
    return "\n".join(text)


def _sizes(recipe: Recipe, seen: Survey) -> Sizes:
    data = recipe.data
    return Sizes(
        labelled=seen.labelled,
        unlabelled=seen.unlabelled,
        fit=round(seen.labelled * _fit_share(recipe)),
        select=round(seen.labelled * data.shares.select),
        folds=1 if data.folds == 1 or data.fold is not None else data.folds,
        phantoms=str(data.path).startswith("phantom"),
    )


def _costs(recipe: Recipe) -> Costs:
    block = recipe.teacher
    first, needs = block.predistil, recipe.asked
    trained = block.fit is not None or first is not None
    elder = None
    if first is not None:
        elder = measure(
            first.model, recipe, first.train.batch_size, first.method.needs, trained=False
        )
    return Costs(
        teacher=measure(block.model, recipe, _teacher_batch(recipe), needs, trained=trained),
        student=measure(recipe.student, recipe, recipe.train.batch_size),
        elder=elder,
    )


def _fit_share(recipe: Recipe) -> float:
    shares = recipe.data.shares
    if recipe.data.folds > 1:
        return 1 - 1 / recipe.data.folds - shares.select - shares.calibrate
    return 1 - shares.select - shares.calibrate - shares.evaluate


def _teacher_batch(recipe: Recipe) -> int:
    """Images a step of its training; a few for one that is only asked."""
    fit, first = recipe.teacher.fit, recipe.teacher.predistil
    train = fit or (first.train if first else None)
    return train.batch_size if train else 16


def _lines(recipe: Recipe, sizes: Sizes, costs: Costs) -> list[Line]:
    return [
        _data_line(recipe, sizes),
        *_teacher_lines(recipe, sizes, costs),
        *_student_lines(recipe, sizes, costs),
        _evaluation_line(recipe, sizes, costs),
    ]


def _data_line(recipe: Recipe, sizes: Sizes) -> Line:
    what = f"{sizes.fit} images a fold to fit, {sizes.unlabelled} unlabelled, {sizes.folds} fold(s)"
    each = _READ + (_DRAW if sizes.phantoms else 0)
    images = sizes.labelled + sizes.unlabelled
    return "data", what, images * each / max(1, recipe.data.workers)


def _teacher_lines(recipe: Recipe, sizes: Sizes, costs: Costs) -> list[Line]:
    block, teacher, lines = recipe.teacher, costs.teacher, list[Line]()
    if block.predistil and costs.elder:
        lines.append(_base_line(recipe, block.predistil, sizes, costs, costs.elder))
    if block.fit:
        share = 1 - 1 / block.members if block.cross_fit else 1.0
        images = block.fit.epochs * sizes.fit * share * block.members * sizes.folds
        judged = _looks(block.fit) * sizes.select * block.members * sizes.folds
        what = f"{block.fit.epochs} epochs, {block.members} member(s), {sizes.folds} fold(s)"
        seconds = images * (teacher.step + teacher.view) + judged * teacher.forward
        lines.append(("teacher", what, seconds))
    if block.probe:
        asked = block.probe.views * sizes.fit * sizes.folds
        what = f"{asked} views through a body that keeps its weights"
        lines.append(("teacher", what, asked * (teacher.forward + teacher.view)))
    return lines


def _looks(train: TrainSettings) -> int:
    """How often *select* is asked about: after each epoch, of the moving average too."""
    return train.epochs * (2 if train.ema else 1)


def _base_line(
    recipe: Recipe, block: PredistilBlock, sizes: Sizes, costs: Costs, elder: Cost
) -> Line:
    rows, times = sizes.unlabelled or sizes.fit, 1 if sizes.unlabelled else sizes.folds
    train = lengthened(block.train, rows, block.least_steps)
    steps = train.epochs * steps_for(rows, train.batch_size)
    shown = steps * min(train.batch_size, rows)
    asked = _base_views(recipe, rows) if recipe.targets.mode == "cached" else shown
    seconds = shown * (costs.teacher.step + costs.teacher.view)
    seconds += asked * (elder.forward + elder.view)
    return "teacher-base", f"{steps} steps without labels, {times} time(s)", times * seconds


def _base_views(recipe: Recipe, rows: int) -> int:
    """Views that the teacher's own teacher is asked about once."""
    return (recipe.teacher.views or recipe.views).count * rows


def _student_lines(recipe: Recipe, sizes: Sizes, costs: Costs) -> list[Line]:
    train, student, lines = recipe.train, costs.student, list[Line]()
    asked = 0.0
    if recipe.asked and recipe.targets.mode == "cached":
        views = recipe.views.count * sizes.folds
        seconds = views * _answers(recipe, sizes, costs)
        lines.append(("targets", f"{views * sizes.seen} views asked once", seconds))
    elif recipe.asked:
        asked = _answers(recipe, sizes, costs) / sizes.seen
    if recipe.predistil:
        settings = recipe.predistil.train
        steps = settings.epochs * steps_for(sizes.seen, settings.batch_size)
        image = 2 * (student.step + student.view) + asked
        seconds = sizes.folds * recipe.seeds * steps * settings.batch_size * image
        what = f"{steps} steps without labels, and the control's as many"
        lines.append(("student-base", what, seconds))
    steps = train.epochs * steps_for(sizes.seen, train.batch_size)
    trained = sizes.folds * recipe.seeds
    images = trained * steps * min(train.batch_size, sizes.seen)
    judged = trained * _looks(train) * sizes.select * student.forward
    what = f"{steps} steps, {sizes.folds} fold(s), {recipe.seeds} seed(s)"
    image = student.step + student.view
    lines.append(("student", what, images * (image + asked) + judged))
    lines.append(("control", what, images * image + judged))
    return lines


def _answers(recipe: Recipe, sizes: Sizes, costs: Costs) -> float:
    """Seconds of the teacher's word on one view of every image that the student sees.

    A cross-fitted member alone answers for the images it never saw; all members for the others.
    """
    block, teacher = recipe.teacher, costs.teacher
    own = 1 if block.cross_fit else block.members
    forwards = sizes.fit * own + sizes.unlabelled * block.members
    return forwards * teacher.forward + sizes.seen * teacher.view


def _evaluation_line(recipe: Recipe, sizes: Sizes, costs: Costs) -> Line:
    teacher = recipe.teacher.members * costs.teacher.forward + costs.teacher.view
    student = costs.student.forward + costs.student.view
    # Teacher, student and control are asked about *calibrate*, *fit* (for the gate) and *evaluate*.
    predicted = sizes.labelled * (teacher + 2 * recipe.seeds * student)
    what = "predictions, 2,000 resamples, report, bundle"
    return "evaluation", what, _JUDGE + predicted


def memory_bytes(recipe: Recipe, costs: Costs) -> float:
    """Peak of a run: what its libraries take, and the largest of its stages.

    A teacher stays in memory, with all its members, while the student learns.
    """
    block, train = recipe.teacher, recipe.train
    asked = costs.teacher.answering_bytes(BATCH, block.members)
    # Evaluation asks, explains and exports; what one of them frees, the allocator keeps.
    judged = asked + EXPLAINED * costs.teacher.saved + _EXPORTER
    stages = [
        judged,
        4 * block.members * costs.teacher.parameters
        + costs.student.training_bytes(train.batch_size),
    ]
    if recipe.targets.mode == "live":
        stages.append(asked + costs.student.training_bytes(train.batch_size))
    if block.fit:
        stages.append(costs.teacher.training_bytes(block.fit.batch_size))
    if block.predistil and costs.elder:
        batch = block.predistil.train.batch_size
        stages.append(costs.teacher.training_bytes(batch) + costs.elder.answering_bytes(batch))
    return _LIBRARIES + max(stages)


def disk_bytes(recipe: Recipe, sizes: Sizes, costs: Costs) -> float:
    """Size of the finished run folder."""
    side, planes = recipe.data.stored_size, 3 if recipe.data.channels == "rgb" else 1
    images = sizes.labelled + sizes.unlabelled
    # 16 bits a pixel; the long side is about a quarter longer than the short one.
    stored = images * side * side * 2 * planes * 5 / 4 + (
        images * side * side if sizes.phantoms else 0
    )
    targets = _target_bytes(recipe, sizes, costs) if recipe.targets.mode == "cached" else 0
    members = recipe.teacher.members * sizes.folds
    teacher = members * (_KEPT_BYTES if recipe.teacher.fit else 4) * costs.teacher.parameters
    students = 2 * sizes.folds * recipe.seeds * _KEPT_BYTES * costs.student.parameters
    shipped = _BUNDLES * 4 * costs.student.parameters + _REPORT_BYTES
    return stored + targets + teacher + students + shipped


def _target_bytes(recipe: Recipe, sizes: Sizes, costs: Costs) -> float:
    """Size of all caches, in float16."""
    views = sizes.folds * sizes.seen * recipe.views.count if recipe.asked else 0
    numbers = views * costs.teacher.numbers
    if costs.elder:
        times = 1 if sizes.unlabelled else sizes.folds
        numbers += times * _base_views(recipe, sizes.unlabelled or sizes.fit) * costs.elder.numbers
    return 2.0 * numbers


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
