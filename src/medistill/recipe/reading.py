"""From YAML to typed values and back, naming the faulty key by its dotted trail."""

from __future__ import annotations

import dataclasses
import functools
import operator
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from medistill.catalog import METHODS, recipe_path, resolve
from medistill.core.errors import MedistillError, RecipeError, UnknownNameError
from medistill.methods.method import Method
from medistill.recipe.blocks import Recipe
from medistill.recipe.checks import check_combination


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
    text = path.read_bytes()  # YAML says itself what is not UTF-8
    document = _parse_yaml(text, where)
    for override in overrides:
        _apply(document, override)
    try:
        return parse_recipe(document, where)
    except RecipeError as error:
        given = [override.partition("=")[0] for override in overrides]
        raise _of_override(error, where, given, _parse_yaml(text, where)) from error


def parse_recipe(document: Mapping[str, Any], where: str) -> Recipe:
    """Turn a YAML document into a recipe that can be trained by."""
    recipe: Recipe = _build(Recipe, document, where, ())
    check_combination(recipe, where)
    return recipe


def recorded_recipe(text: bytes, where: str) -> Recipe:
    """The recipe that a run was made by; what is trained by it is asked of ``check_combination``.

    A combination that is refused by now has been trained all the same, and can be read.

    Raises:
        RecipeError: not YAML, unknown key or ill-typed value.
    """
    recipe: Recipe = _build(Recipe, _parse_yaml(text, where), where, ())
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


def _parse_yaml(text: bytes, where: str) -> dict[str, Any]:
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


def _of_override(
    error: RecipeError, where: str, given: Sequence[str], written: Mapping[str, Any]
) -> MedistillError:
    """The same fault, blamed on the override that gave the value and not on the file.

    A fault of a whole block is an override's where the file, as ``written``, has no such block.
    """
    keys = error.where.removeprefix(f"{where}: ")
    blamed = any(
        f"{key}.".startswith(f"{own}.")
        or (own.startswith(f"{key}.") and _value_at(written, key) is None)
        for key in keys.split(", ")
        for own in given
    )
    return error.at(f"override: {keys}") if blamed else error


def _value_at(document: Mapping[str, Any], key: str) -> Any:
    """What a document holds at a dotted key; None where it holds nothing."""
    value: Any = document
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


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
            named = f"{where}: {'.'.join((*trail, str(key)))}"
            raise UnknownNameError(where=named, kind="key", name=str(key), known=fields)
    arguments = {k: _convert(hints[k], v, where, (*trail, k)) for k, v in value.items()}
    _require(fields, arguments, here)
    try:
        return kind(**arguments)
    except RecipeError as error:
        raise _placed(error, where, trail) from error


def _placed(error: RecipeError, where: str, trail: tuple[str, ...]) -> RecipeError:
    """A block knows which of its values is at fault, but not which of several blocks it is."""
    keys = [name.rpartition(".")[2] for name in error.where.split(", ")]
    named = ", ".join(".".join((*trail, key)) for key in keys)
    return RecipeError(where=f"{where}: {named}", what=error.what, cure=error.cure)


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
