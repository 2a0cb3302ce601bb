"""JSON values into typed, frozen records, strictly. Torch-free.

Small on purpose: prediction starts without a validation library.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


class FormError(ValueError):
    """A JSON value of the wrong form.

    Args:
        key: dotted path of the value, for example ``graphs.0.opset``.
        what: what is wrong with it, as a clause.
    """

    def __init__(self, key: str, what: str) -> None:
        self.key, self.what = key, what
        super().__init__(f"{key} {what}")


def decode(hint: Any, value: object, key: str = "") -> Any:
    """Turn a JSON value into the type that a field declares.

    Understands str, int, bool, float (finite), None, unions, ``Literal``, ``tuple[T, ...]``,
    ``Mapping[str, T]`` and dataclasses of these. Nothing is converted silently but whole numbers
    to float; unknown and missing keys are errors.

    Args:
        hint: the declared type.
        value: what ``json`` read.
        key: dotted path of the value, for the message.

    Raises:
        FormError: the value does not have this form.
    """
    if dataclasses.is_dataclass(hint):
        return _decode_record(hint, value, key)
    if get_origin(hint) in (Union, UnionType):
        return _decode_union(hint, value, key)
    if get_origin(hint) is tuple:
        items = _expect(list, value, key)
        return tuple(decode(get_args(hint)[0], item, f"{key}.{i}") for i, item in enumerate(items))
    if get_origin(hint) is Mapping:
        pairs = _expect(dict, value, key).items()
        return {name: decode(get_args(hint)[1], item, f"{key}.{name}") for name, item in pairs}
    return _decode_plain(hint, value, key)


def _decode_record(cls: Any, value: object, key: str) -> Any:
    given = _expect(dict, value, key)
    hints = get_type_hints(cls)
    known = [field.name for field in dataclasses.fields(cls)]
    if unknown := sorted(set(given) - set(known)):
        raise FormError(_join(key, unknown[0]), "is unknown")
    if missing := [name for name in known if name not in given]:
        raise FormError(_join(key, missing[0]), "is missing")
    return cls(**{name: decode(hints[name], given[name], _join(key, name)) for name in known})


def _decode_union(hint: Any, value: object, key: str) -> Any:
    if value is None and NoneType in get_args(hint):
        return None
    (other,) = (argument for argument in get_args(hint) if argument is not NoneType)
    return decode(other, value, key)


def _decode_plain(hint: Any, value: object, key: str) -> Any:
    if get_origin(hint) is Literal:
        # By type too: True is not 1.
        if not any(value == item and type(value) is type(item) for item in get_args(hint)):
            raise FormError(key, f"is {value!r}, not one of {', '.join(map(str, get_args(hint)))}")
        return value
    if hint is float:
        if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
            raise FormError(key, f"is {value!r}, not a finite number")
        return float(value)  # type: ignore[arg-type]
    return _expect(hint, value, key)


def _expect(kind: Any, value: object, key: str) -> Any:
    if type(value) is not kind:
        raise FormError(key or "the document", f"is not of type {kind.__name__}")
    return value


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
