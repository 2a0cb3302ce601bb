"""The ``train`` block refuses what cannot be, naming the key."""

from __future__ import annotations

from typing import Any

import pytest

from medistill.core.errors import RecipeError
from medistill.train.settings import TrainSettings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("lr", 0.0),
        ("lr", float("nan")),
        ("weight_decay", -1.0),
        ("warmup_epochs", 3),
        ("min_lr", 1.0),
        ("clip_norm", 0.0),
        ("ema", 1.0),
        ("label_smoothing", 1.0),
        ("balance", 1.5),
        ("mixup", -0.1),
        ("cutmix", float("nan")),
        ("select_by", "accuracy"),
        ("precision", "16-mixed"),
        ("patience", 0),
        ("seed", -1),
        ("workers", -1),
    ],
)
def test_impossible_value_names_its_key(key: str, value: Any) -> None:
    values = {"epochs": 3, "batch_size": 2, "lr": 0.1, key: value}
    with pytest.raises(RecipeError, match=rf"^train\.{key}: .*{value}"):
        TrainSettings(**values)


def test_null_switches_off() -> None:
    settings = TrainSettings(epochs=1, batch_size=1, lr=0.1, ema=None, clip_norm=None)
    assert not settings.mixes
    assert TrainSettings(epochs=1, batch_size=1, lr=0.1, cutmix=1.0).mixes
