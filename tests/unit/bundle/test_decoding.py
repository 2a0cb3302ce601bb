from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from medistill.bundle.decoding import FormError, decode


@dataclass(frozen=True)
class Inner:
    number: float


@dataclass(frozen=True)
class Outer:
    word: Literal["a", "b"]
    many: tuple[Inner, ...]
    named: Mapping[str, int]
    maybe: str | None


GOOD: dict[str, Any] = {"word": "a", "many": [{"number": 1}], "named": {"x": 2}, "maybe": None}


def test_every_form_is_read() -> None:
    value = decode(Outer, GOOD)
    assert value == Outer("a", (Inner(1.0),), {"x": 2}, None)
    assert type(value.many[0].number) is float


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"word": "c"}, "word is 'c', not one of a, b"),
        ({"many": {}}, "many is not of type list"),
        ({"many": [{"number": "1"}]}, "many.0.number is '1', not a finite number"),
        ({"many": [{"number": True}]}, "many.0.number is True, not a finite number"),
        ({"many": [{"number": float("nan")}]}, "many.0.number is nan, not a finite number"),
        ({"many": [{}]}, "many.0.number is missing"),
        ({"named": {"x": 2.0}}, "named.x is not of type int"),
        ({"named": {"x": True}}, "named.x is not of type int"),
        ({"maybe": 3}, "maybe is not of type str"),
        ({"other": 3}, "other is unknown"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(FormError) as caught:
        decode(Outer, {**GOOD, **change})
    assert str(caught.value) == message


def test_a_missing_key_and_a_document_that_is_no_object() -> None:
    with pytest.raises(FormError, match="maybe is missing"):
        decode(Outer, {key: value for key, value in GOOD.items() if key != "maybe"})
    with pytest.raises(FormError, match="the document is not of type dict"):
        decode(Outer, [GOOD])


def test_a_truth_value_is_not_the_number_of_a_literal() -> None:
    with pytest.raises(FormError, match="schema is True"):
        decode(Literal[1], True, "schema")
