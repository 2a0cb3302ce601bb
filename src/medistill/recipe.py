"""Recipes: YAML in, typed values out; an unknown key or an impossible value says how to mend it.

A recipe holds every value of a run and no code. A block is a frozen dataclass whose fields are
the keys of its YAML block, so that the class documents the block.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from medistill.catalog import METHODS, recipe_path, resolve
from medistill.core.errors import RecipeError, UnknownNameError
from medistill.data.views import ViewPolicy
from medistill.methods.method import Method
from medistill.models.build import ModelSpec
from medistill.train.settings import TrainSettings


@dataclass(frozen=True, kw_only=True)
class SharesBlock:
    """Shares of the labelled images; the rest is *fit*.

    Attributes:
        select: chooses checkpoints.
        calibrate: holds temperature, thresholds and the export gate.
        evaluate: is reported; unused under K-fold and where the layout publishes such a part.
    """

    select: float = 0.15
    calibrate: float = 0.15
    evaluate: float = 0.2


@dataclass(frozen=True, kw_only=True)
class DataBlock:
    """Where the images are and how they are cut into parts.

    Attributes:
        path: folder, table or phantom specification; usually given with ``--data``.
        layout: name of the layout, or null to recognise it.
        stored_size: short side of the stored images in pixels.
        channels: ``gray`` or ``rgb``.
        folds: 1 for one split into four parts, K for grouped K-fold over all images.
        fold: run this fold only (0 to K-1), or null for all.
        seed: seed of the parts.
        shares: shares of the parts.
        unlabelled: folder or phantom specification of further images without labels, or null.
        skip_unreadable: leave unreadable images out instead of stopping.
        workers: processes that decode images.
    """

    path: str | None = None
    layout: str | None = None
    stored_size: int = 256
    channels: Literal["gray", "rgb"] = "gray"
    folds: int = 1
    fold: int | None = None
    seed: int = 0
    shares: SharesBlock = field(default_factory=SharesBlock)
    unlabelled: str | None = None
    skip_unreadable: bool = False
    workers: int = 0


@dataclass(frozen=True, kw_only=True)
class PredistilBlock:
    """Label-free distillation of the teacher itself, from another model on unlabelled images.

    Attributes:
        model: the model it learns from.
        weights: ``published`` or a weights file.
        method: a label-free method.
        train: how long and how fast.
    """

    model: ModelSpec
    weights: str = "published"
    method: Method
    train: TrainSettings


@dataclass(frozen=True, kw_only=True)
class TeacherBlock:
    """The large model.

    Attributes:
        model: what it is.
        weights: ``published``, a weights file, or null for a random start.
        predistil: first distil it, without labels, from another model; or null.
        fit: how it is fitted on the labels; null uses the weights as they are.
        views: its own views while it is fitted; null takes the recipe's.
        members: how many are fitted.
        cross_fit: member k never sees fold k of the training groups, and each training image's
            targets come from the member that never saw it (Dao et al., ICLR 2021).
    """

    model: ModelSpec
    weights: str | None = "published"
    predistil: PredistilBlock | None = None
    fit: TrainSettings | None
    views: ViewPolicy | None = None
    members: int = 1
    cross_fit: bool = False


@dataclass(frozen=True, kw_only=True)
class TargetsBlock:
    """How the student hears the teacher.

    Attributes:
        mode: ``cached`` stores the teacher's word for every view once; ``live`` asks it each step.
        precision: in which the teacher computes: ``float32`` or ``bfloat16``.
    """

    mode: Literal["cached", "live"] = "cached"
    precision: Literal["float32", "bfloat16"] = "float32"


@dataclass(frozen=True, kw_only=True)
class ControlBlock:
    """What the control may choose for itself; null takes the student's value.

    Attributes:
        lr: its own peak learning rate.
        weight_decay: its own weight decay.
    """

    lr: float | None = None
    weight_decay: float | None = None


@dataclass(frozen=True, kw_only=True)
class ExportBlock:
    """How the student is exported.

    Attributes:
        opset: ONNX operator set.
        bound: largest difference of probabilities between graph and student that is let through.
    """

    opset: int = 18
    bound: float = 1e-4


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every value of a run."""

    name: str
    data: DataBlock = field(default_factory=DataBlock)
    views: ViewPolicy = field(default_factory=ViewPolicy)
    teacher: TeacherBlock
    targets: TargetsBlock = field(default_factory=TargetsBlock)
    student: ModelSpec
    method: Method
    train: TrainSettings
    control: ControlBlock = field(default_factory=ControlBlock)
    seeds: int = 1
    export: ExportBlock = field(default_factory=ExportBlock)


def load_recipe(name: str, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read a shipped recipe or a YAML file and apply ``key=value`` overrides.

    Args:
        name: name of a shipped recipe or path of a YAML file.
        overrides: for example ``train.epochs=5``; the value is read as YAML.

    Raises:
        RecipeError: not YAML, unknown key, ill-typed value, impossible combination.
    """
    path = recipe_path(name)
    where = path.name
    document = _parse_yaml(path.read_text(encoding="utf-8"), where)
    for override in overrides:
        _apply(document, override)
    return parse_recipe(document, where)


def parse_recipe(document: Mapping[str, Any], where: str) -> Recipe:
    """Turn a YAML document into a checked recipe."""
    recipe: Recipe = _build(Recipe, document, where, ())
    check_combination(recipe, where)
    return recipe


def dump_recipe(recipe: Recipe) -> dict[str, Any]:
    """The recipe as a YAML document; ``parse_recipe`` gives the same recipe back."""
    document: dict[str, Any] = _plain(recipe)
    return document


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {"name": _method_name(value)} if _is_method(value) else {}
        return named | {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _is_method(value: object) -> bool:
    return hasattr(value, "terms") and hasattr(value, "needs")


def _method_name(method: object) -> str:
    kind = type(method)
    target = f"{kind.__module__}:{kind.__qualname__}"
    return next(name for name, value in METHODS.items() if value == target)


def _parse_yaml(text: str, where: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(
            where=where, what=f"is not valid YAML ({_one_line(error)})", cure="Mend that line."
        ) from None
    if not isinstance(document, dict):
        raise RecipeError(
            where=where, what="holds no mapping of keys to values", cure="See 'medistill recipes'."
        )
    return document


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _apply(document: dict[str, Any], override: str) -> None:
    """Set one dotted key; blocks that are missing or null are created."""
    key, sign, text = override.partition("=")
    if not sign or not key:
        raise RecipeError(
            where=override,
            what="an override is not of the form key=value",
            cure="Write for example train.epochs=5.",
        )
    *blocks, last = key.split(".")
    block = document
    for name in blocks:
        inner = block.get(name)
        block[name] = inner = {} if inner is None else inner
        if not isinstance(inner, dict):
            raise RecipeError(
                where=override,
                what=f"'{name}' is a value, not a block",
                cure=f"Write {name}={text or '...'} instead.",
            )
        block = inner
    block[last] = _parse_value(text, override)


def _parse_value(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise RecipeError(
            where=where, what="the value is not valid YAML", cure="Quote it: key='\"text\"'."
        ) from None


def _build(kind: Any, value: Any, where: str, trail: tuple[str, ...]) -> Any:
    """Build a block of type ``kind`` from YAML, naming the faulty key by its dotted trail."""
    here = f"{where}: {'.'.join(trail)}" if trail else where
    if not isinstance(value, Mapping):
        raise RecipeError(
            where=here, what=f"is {value!r}, not a block", cure="Indent keys below it."
        )
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for key in value:
        if key not in fields:
            raise UnknownNameError(where=here, kind="key", name=str(key), known=fields)
    arguments = {k: _convert(hints[k], v, where, (*trail, k)) for k, v in value.items()}
    _require(fields, arguments, here)
    return kind(**arguments)


def _require(fields: Mapping[str, Any], arguments: Mapping[str, Any], here: str) -> None:
    for name, spec in fields.items():
        optional = (
            spec.default is not dataclasses.MISSING
            or spec.default_factory is not dataclasses.MISSING
        )
        if name not in arguments and not optional:
            raise RecipeError(where=here, what=f"the key '{name}' is missing", cure=f"Add {name}.")


def _convert(hint: Any, value: Any, where: str, trail: tuple[str, ...]) -> Any:
    inner, optional = _strip_none(hint)
    if value is None and optional:
        return None
    if inner is Method:
        return _build_method(value, where, trail)
    if dataclasses.is_dataclass(inner):
        return _build(inner, value, where, trail)
    return _validate(hint, value, f"{where}: {'.'.join(trail)}")


def _strip_none(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        rest = [a for a in typing.get_args(hint) if a is not type(None)]
        if len(rest) < len(typing.get_args(hint)):
            return functools.reduce(operator.or_, rest), True
    return hint, False


def _build_method(value: Any, where: str, trail: tuple[str, ...]) -> Method:
    here = f"{where}: {'.'.join(trail)}"
    if not isinstance(value, Mapping) or "name" not in value:
        raise RecipeError(where=here, what="the key 'name' is missing", cure="Add name: kdvit.")
    kind = resolve(METHODS, str(value["name"]), kind="method", where=f"{here}.name")
    rest = {key: item for key, item in value.items() if key != "name"}
    method: Method = _build(kind, rest, where, trail)
    return method


def _validate(hint: Any, value: Any, here: str) -> Any:
    """Check one value; text leniently, since YAML takes 1e-3 for text."""
    loose = isinstance(value, list | str)
    adapter: TypeAdapter[Any] = TypeAdapter(hint, config=ConfigDict(strict=not loose))
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise RecipeError(
            where=here, what=f"{value!r} does not fit: {reason}", cure="Mend the value."
        ) from None


def check_combination(recipe: Recipe, where: str) -> None:
    """Refuse values that are fine alone and impossible together.

    Raises:
        RecipeError: the first such combination, with its cure.
    """
    for broken, key, what, cure in _impossible(recipe):
        if broken:
            raise RecipeError(where=f"{where}: {key}", what=what, cure=cure)


def _impossible(recipe: Recipe) -> list[tuple[bool, str, str, str]]:
    data, teacher, train = recipe.data, recipe.teacher, recipe.train
    mixes = train.mixup > 0 or train.cutmix > 0
    fold = data.fold
    return [
        (
            mixes and recipe.targets.mode == "cached",
            "train.mixup",
            "mixed images have no cached targets",
            "Set targets.mode=live, or mixup and cutmix to 0.",
        ),
        (
            mixes and teacher.cross_fit,
            "train.mixup",
            "a cross-fitted teacher has no member that never saw both mixed images",
            "Set teacher.cross_fit=false, or mixup and cutmix to 0.",
        ),
        (
            teacher.cross_fit and teacher.members < 2,
            "teacher.cross_fit",
            f"cross-fitting needs at least 2 members, not {teacher.members}",
            "Set teacher.members=3.",
        ),
        (
            teacher.cross_fit and teacher.fit is None,
            "teacher.cross_fit",
            "a teacher that is not fitted here cannot be cross-fitted",
            "Add teacher.fit, or set teacher.cross_fit=false.",
        ),
        (
            teacher.fit is None and teacher.weights in (None, "published"),
            "teacher.fit",
            "a teacher that is not fitted here needs a weights file with a head for these classes",
            "Set teacher.weights=FILE, or add teacher.fit.",
        ),
        (
            fold is not None and not 0 <= fold < data.folds,
            "data.fold",
            f"fold {fold} does not exist among {data.folds} folds",
            f"Choose 0 to {data.folds - 1}.",
        ),
        (
            teacher.predistil is not None and teacher.predistil.train.select_by != "last",
            "teacher.predistil.train.select_by",
            "without labels there is nothing to choose a checkpoint by",
            "Set it to last.",
        ),
        (
            "last" in {train.select_by, teacher.fit.select_by if teacher.fit else None},
            "train.select_by",
            "'last' is for training without labels",
            "Set it to auroc or loss.",
        ),
        (data.folds < 1, "data.folds", f"{data.folds} folds are impossible", "Set data.folds=5."),
        (recipe.seeds < 1, "seeds", f"{recipe.seeds} seeds are impossible", "Set seeds=1."),
    ]


def recipe_text(name: str) -> str:
    """A recipe's file with its comments."""
    return Path(recipe_path(name)).read_text(encoding="utf-8")
