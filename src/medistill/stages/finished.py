"""What a run has finished, for those who read it: nothing is trained, no image is read again."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medistill.core.errors import RunFolderError
from medistill.core.run_folder import MANIFEST, RECIPE
from medistill.stages.context import Context
from medistill.stages.data import STAGE, Prepared, data_settings, open_data
from medistill.stages.networks import block_json
from medistill.stages.predistil import base_inputs, base_name
from medistill.stages.start_weights import is_gone
from medistill.stages.student import (
    TAUGHT_BY,
    Pupil,
    control_of,
    pupil_inputs,
    stage_name,
    student_of,
)
from medistill.stages.teacher import teacher_inputs, teacher_name
from medistill.stages.teacher_base import WEIGHTS, base_stage

_WORDS = {
    "data": "its images",
    "rows": "its parts",
    "weights": "its first weights",
    "base": "its first weights",
    "start": "its first weights",
    "steps_per_epoch": "its number of steps",
}


@dataclass(frozen=True)
class _Made:
    """What a stage is made from, as far as that is told without a network.

    Files outside the run may be gone; what was made of them lies in it.

    Attributes:
        name: of the stage.
        inputs: as its manifest calls them.
        teacher: hash of the weights of who teaches it; None where none does, or none is there.
    """

    name: str
    inputs: Mapping[str, Any]
    teacher: str | None = None


def finished_data(context: Context) -> Prepared:
    """The data as a run was trained on them, wherever the images are by now.

    Raises:
        RunFolderError: they have not been finished, or a stage was finished before the recipe, the
            data or the teacher changed, so that its model would be taken for another.
    """
    prepared = open_data(context.run.whole(STAGE))
    if change := first_change(context, prepared):
        path = context.run.path
        raise RunFolderError(where=path, what=change, cure=f"{again(path)} makes it anew.")
    return prepared


def again(run: Path) -> str:
    """The command that makes anew whatever a run holds of other values than its recipe's."""
    return f"'medistill run {shlex.quote(str(run / RECIPE))} --out {shlex.quote(str(run))}'"


def first_change(context: Context, prepared: Prepared) -> str | None:
    """The first finished stage that was made before something changed, as a clause; None for none.

    ``medistill teach`` with a new value changes recipe and teacher, and leaves the students.
    """
    for made in _all_made(context, prepared):
        key = _changed(context, made) if _is_finished(context, made.name) else None
        if key is not None:
            return f"the stage '{made.name}' was finished before {key} changed"
    return None


def _changed(context: Context, made: _Made) -> str | None:
    key = context.run.change(made.name, made.inputs)
    if key is not None:
        return _WORDS.get(key, key.replace("settings.", "data."))
    taught_by = context.run.outputs(made.name).get(TAUGHT_BY, made.teacher)
    return None if made.teacher in (None, taught_by) else "its teacher"


def _is_finished(context: Context, name: str) -> bool:
    return (context.run.stage(name) / MANIFEST).is_file()


def _all_made(context: Context, prepared: Prepared) -> Iterator[_Made]:
    recipe = context.recipe
    yield _Made(STAGE, {"settings": data_settings(recipe.data)})
    for fold in context.folds():
        yield from _teachers(context, prepared, fold)
        for seed in range(recipe.seeds):
            yield from _students(context, prepared, fold, seed)
            control = control_of(context, prepared, fold, seed)
            yield _pupil(context, prepared, control, is_gone(recipe.student_weights))


def _teachers(context: Context, prepared: Prepared, fold: int) -> Iterator[_Made]:
    block, base = context.recipe.teacher, None
    gone = is_gone(block.weights)
    if block.predistil is not None:
        name, inputs = base_stage(context, prepared, fold)
        yield _Made(name, _without(inputs, "weights", is_gone(block.predistil.weights)))
        base = context.run.stage(name) / WEIGHTS
        gone = is_gone(str(base))
    inputs = teacher_inputs(context, prepared, fold, base)
    yield _Made(teacher_name(context, fold), _without(inputs, "weights", gone))


def _students(context: Context, prepared: Prepared, fold: int, seed: int) -> Iterator[_Made]:
    recipe, student = context.recipe, student_of(context, prepared, fold, seed)
    gone = is_gone(recipe.student_weights)
    if recipe.predistil is not None:
        name = base_name(context, fold, seed)
        inputs = base_inputs(context, prepared, fold, seed)
        yield _Made(name, _without(inputs, "start", gone))
        base = context.run.stage(name) / WEIGHTS
        gone = is_gone(str(base))
        student = dataclasses.replace(student, base=None if gone else base)
    yield _pupil(context, prepared, student, gone)


def _pupil(context: Context, prepared: Prepared, pupil: Pupil, gone: bool) -> _Made:
    """What is told of a teacher without opening it is the hash of its weights."""
    name = stage_name(context, pupil.fold, pupil.seed, pupil.role)
    inputs = _without(pupil_inputs(context, prepared, pupil), "base", gone)
    if pupil.role == "control":
        return _Made(name, inputs)
    inputs = {**_without(inputs, "teacher", True), "targets": block_json(context.recipe.targets)}
    teacher = teacher_name(context, pupil.fold)
    known = context.run.outputs(teacher) if _is_finished(context, teacher) else {}
    return _Made(name, inputs, known.get("weights_hash"))


def _without(inputs: Mapping[str, Any], key: str, left_out: bool) -> Mapping[str, Any]:
    return {name: value for name, value in inputs.items() if name != key or not left_out}
