"""Weights that networks start from: loaded, or refused before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medistill.core.errors import WeightsError
from medistill.core.files import sha256_file, sha256_json
from medistill.core.run_folder import read_manifest
from medistill.models.network import Network
from medistill.models.published import PACKAGED
from medistill.models.spec import ModelSpec
from medistill.models.weights import WeightsProof, load_published, load_weights, require_published
from medistill.recipe import Recipe
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.networks import block_json

#: The elder teaches the teacher, where one does.
Role = Literal["elder", "teacher", "student"]
_PACKAGE = f"set {{}}.name={next(iter(PACKAGED))}, whose ImageNet weights come as a package"


@dataclass(frozen=True, kw_only=True)
class Start:
    """Weights that a network starts from.

    Attributes:
        key: of the recipe.
        given: ``published`` or a file.
        model: name of the network.
        otherwise: what else can be set where there are no such weights.
    """

    key: str
    given: str
    model: str
    otherwise: str

    @property
    def cure(self) -> str:
        """What to do where nothing published can be had."""
        return f"Give a local file with {self.key}=FILE, or {self.otherwise}."


def start_of(recipe: Recipe, role: Role) -> Start | None:
    """What a role starts from; None for random weights, and for a teacher that an elder teaches."""
    teacher, elder = recipe.teacher, recipe.teacher.predistil
    if role == "student":
        otherwise = "start at random with student_weights=null"
        return _start("student_weights", recipe.student_weights, recipe.student, otherwise)
    if role == "teacher":
        given = None if elder else teacher.weights
        return _start("teacher.weights", given, teacher.model, _PACKAGE.format("teacher.model"))
    if elder is None:
        return None
    trail = "teacher.predistil"
    otherwise = _PACKAGE.format(f"{trail}.model")
    return _start(f"{trail}.weights", elder.weights, elder.model, otherwise)


def _start(key: str, given: str | None, model: ModelSpec, otherwise: str) -> Start | None:
    if given is None:
        return None
    return Start(key=key, given=given, model=model.name, otherwise=otherwise)


def load_start(network: Network, start: Start) -> WeightsProof:
    """Load what a network starts from; its classifier may be of other classes.

    Raises:
        WeightsError: unreadable, refused, not fitting, or not to be had; names the recipe's key.
    """
    with _naming(start.key):
        if start.given == "published":
            return load_published(network.backbone, start.model, cure=start.cure)
        return load_weights(network.backbone, Path(start.given), ignore_head=True, plain=True)


def check_start(network: Network, start: Start, *, learns: bool = True) -> None:
    """Refuse what ``load_start`` would refuse, without fetching anything; a file is loaded.

    Args:
        network: who starts from them; overwritten.
        start: what they are.
        learns: whether it is fitted on the labels afterwards; else the file must have all of it.

    Raises:
        WeightsError: as ``load_start``, or a part that nothing fits.
    """
    if start.given == "published":
        with _naming(start.key):
            require_published(network.backbone, start.model, cure=start.cure)
    elif not load_start(network, start).whole and not learns:
        raise WeightsError(
            where=f"{start.key}: {Path(start.given).name}",
            what=f"it lacks part of this network of {network.classes} classes, and nothing fits it",
            cure="Add teacher.fit, or give weights that were fitted on these classes.",
        )


@contextmanager
def _naming(key: str) -> Iterator[None]:
    """Put the recipe's key before the place of a fault."""
    try:
        yield
    except WeightsError as error:
        where = f"{key}: {error.where}"
        raise WeightsError(where=where, what=error.what, cure=error.cure) from error


def start_hash(recipe: Recipe) -> str | None:
    """What a student's first weights are, for its manifest."""
    given = Path(recipe.student_weights) if recipe.student_weights else None
    return sha256_file(given) if given and given.is_file() else recipe.student_weights


def is_gone(given: str | None) -> bool:
    """Whether weights came from a file that is there no more, so that nothing is told of it."""
    return given not in (None, "published") and not Path(str(given)).is_file()


def settled_roles(context: Context, prepared: Prepared) -> frozenset[Role]:
    """Roles that need their first weights no more: every stage that starts from them is finished.

    A finished run stays a no-op on a machine that cannot reach what its weights came from.
    """
    recipe, found = context.recipe, set[Role]()
    data = {"data": prepared.store.data_hash}
    teacher = {**data, "teacher": block_json(recipe.teacher)}
    if all(
        _finished(context, f"{context.scope(fold)}teacher", teacher) for fold in context.folds()
    ):
        found |= {"elder", "teacher"}
    student = {**data, "student": block_json(recipe.student)}
    wanted = {"student": student, "control": {**student, "base": start_hash(recipe)}}
    if all(
        _finished(context, f"{context.scope(fold)}seed-{seed}/{name}", inputs)
        for fold in context.folds()
        for seed in range(recipe.seeds)
        for name, inputs in wanted.items()
    ):
        found.add("student")
    return frozenset(found)


def _finished(context: Context, name: str, wanted: Mapping[str, Any]) -> bool:
    """Whether a stage was finished with some of its inputs as wanted."""
    manifest = read_manifest(context.run.stage(name))
    if manifest is None:
        return False
    inputs = manifest["inputs"]
    return sha256_json({key: inputs.get(key) for key in wanted}) == sha256_json(wanted)
