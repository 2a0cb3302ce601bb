"""Every value that matters is in the fingerprint, and what differs is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from medistill.core.errors import RunFolderError
from medistill.methods.kdvit import KDViT
from medistill.methods.supervised import Supervised
from medistill.train.fingerprint import fingerprint, refuse_other
from tests.unit.train.small import make_settings


def _print(**changes: Any) -> dict[str, str]:
    values: dict[str, Any] = {
        "settings": make_settings(),
        "method": KDViT(),
        "network": nn.Linear(2, 2),
        "device": torch.device("cpu"),
        "steps_per_epoch": 5,
        "inputs": {"data": "abc"},
        **changes,
    }
    positional = [values.pop(name) for name in ("settings", "method", "network")]
    return fingerprint(*positional, **values)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"settings": make_settings(lr=0.5)}, {"train.lr"}),
        ({"settings": make_settings(precision="bf16-mixed")}, {"train.precision"}),
        ({"settings": make_settings(workers=3)}, set()),
        ({"settings": make_settings(balance=0.5)}, {"train.balance"}),
        ({"method": KDViT(soft_weight=0.5)}, {"method.soft_weight"}),
        (
            {"method": Supervised()},
            {"method", "method.temperature", "method.soft_weight", "method.standardise"},
        ),
        ({"network": nn.Linear(2, 3)}, {"network"}),
        ({"steps_per_epoch": 6}, {"steps_per_epoch"}),
        ({"inputs": {"data": "abd"}}, {"inputs.data"}),
        ({"inputs": {}}, {"inputs.data"}),
    ],
)
def test_what_matters_changes_the_fingerprint(change: dict[str, Any], names: set[str]) -> None:
    one, two = _print(settings=make_settings(precision="32-true")), _print(**change)
    differing = {name for name in {**one, **two} if one.get(name) != two.get(name)}
    assert differing - {"train.precision"} == names - {"train.precision"}
    if "train.precision" in names:
        assert one["train.precision"] != two["train.precision"]


def test_auto_precision_is_noted_as_resolved() -> None:
    assert _print()["train.precision"] in ("32-true", "bf16-mixed")


def test_every_difference_is_named_with_both_values() -> None:
    refuse_other({"a": "1"}, {"a": "1"}, Path("last.pt"))
    pattern = r"^last\.pt: .*a was 1, is 2; b was 3, is absent; c was absent, is 4\. Restore"
    with pytest.raises(RunFolderError, match=pattern):
        refuse_other({"a": "1", "b": "3"}, {"a": "2", "c": "4"}, Path("last.pt"))


def test_a_training_from_before_balance_goes_on() -> None:
    assert "train.balance" not in _print()
