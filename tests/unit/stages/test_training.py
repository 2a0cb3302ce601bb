"""One training: which images its stream shows."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from medistill.methods.supervised import Supervised
from medistill.stages import training
from medistill.stages.data import open_data
from medistill.stages.networks import build
from medistill.stages.run import open_run


@pytest.mark.parametrize(("balance", "rare"), [(0.0, 2), (1.0, 4)])
def test_classes_are_shown_as_evenly_as_asked(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, balance: float, rare: int
) -> None:
    context, prepared = open_run(finished), open_data(finished / "data")
    classes = prepared.labels.argmax(axis=1)
    held = [[row for row in prepared.parts[0].fit if classes[row] == number] for number in (0, 1)]
    streams: list[Any] = []
    monkeypatch.setattr(training, "fit", lambda *_, **given: streams.append(given["stream"]))
    what = training.Training(
        network=build(context, prepared, context.recipe.student),
        method=Supervised(),
        rows=[*held[0][:2], *held[1][:6]],
        select=(),
        views=context.recipe.views,
        settings=dataclasses.replace(context.recipe.train, batch_size=8, balance=balance),
    )
    training.train(what, prepared, tmp_path, lambda _: None)
    shown = Counter(classes[streams[0].batch(0).index.numpy()].tolist())
    assert shown == {0: rare, 1: 8 - rare}
