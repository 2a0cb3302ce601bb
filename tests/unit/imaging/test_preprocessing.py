"""Preprocessing as a value: JSON, hash, refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from medistill.core.errors import RecipeError, UnknownNameError
from medistill.imaging.preprocessing import Preprocessing


def test_json_round_trip() -> None:
    value = Preprocessing(size=224, mean=(0.5,), std=(0.25,), fit="pad", stored_size=256)
    assert Preprocessing.from_json(json.loads(json.dumps(value.to_json()))) == value


@pytest.mark.parametrize(
    "change",
    [
        {"size": 128},
        {"mean": (0.1, 0.2, 0.3)},
        {"std": (0.1, 0.2, 0.3)},
        {"channels": "rgb"},
        {"fit": "crop"},
        {"stored_size": 256},
        {"window": "lung"},
    ],
)
def test_every_value_changes_the_hash(change: dict[str, Any]) -> None:
    assert Preprocessing(**{"size": 224, **change}).hash != Preprocessing(size=224).hash


def test_hash_does_not_depend_on_the_type_of_number() -> None:
    whole = Preprocessing.from_json({"size": 8, "mean": [0], "std": [1]})
    assert whole.hash == Preprocessing(size=8, mean=(0.0,), std=(1.0,)).hash


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, r"preprocessing.size: 0 is not a positive whole number"),
        ({"stored_size": 1.5}, r"preprocessing.stored_size: 1.5 is not"),
        ({"mean": (0.5, 0.5), "std": (1.0, 1.0)}, "2 mean and 2 std values"),
        ({"mean": (0.5,)}, "1 mean and 3 std values"),
        ({"mean": (0.5,), "std": (0.0,)}, r"std: \(0.0,\) is not positive"),
        ({"mean": (0.5,), "std": (0.5,), "channels": "rgb"}, "the model takes one channel"),
        ({"channels": "grey"}, "Did you mean 'gray'"),
        ({"window": "lungs"}, "Did you mean 'lung'"),
        ({"fit": "padd"}, "Did you mean 'pad'"),
    ],
)
def test_impossible_values_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Preprocessing(**{"size": 224, **change})


def test_unknown_key_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'size'"):
        Preprocessing.from_json({"sizes": 3})


def test_missing_key_is_named() -> None:
    with pytest.raises(RecipeError, match="preprocessing.std: is missing"):
        Preprocessing.from_json({"size": 3, "mean": [0.5]})
