"""Means of an epoch, and the alarm that names term and step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from medistill.train.epoch_log import EpochLog, TrainingDivergedError
from tests.unit.train.small import NAN, make_settings


def _log(epoch: int = 2, **changes: object) -> EpochLog:
    return EpochLog(epoch, make_settings(**changes), Path("run/last.pt"))


def _add(log: EpochLog, step: int, hard: float, soft: float, norm: float = 1.0) -> None:
    terms = {"hard": torch.tensor(hard), "soft": torch.tensor(soft, dtype=torch.bfloat16)}
    total: Tensor = sum(terms.values(), torch.zeros(()))
    log.add(step, terms, total, torch.tensor(norm), images=4)


def test_row_holds_means_by_hand() -> None:
    log = _log()
    _add(log, 10, 1.0, 0.5, 3.0)
    assert log.newest_loss == 1.5
    _add(log, 11, 2.0, 0.0, 5.0)
    row = log.row()
    assert list(row)[:4] == ["loss", "term.hard", "term.soft", "grad_norm"]
    assert list(row.values())[:4] == [1.75, 1.5, 0.25, 4.0]
    assert row["images_per_second"] == pytest.approx(8 / row["seconds"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((1.0, NAN, NAN), r"epoch 2, step 7: term\.soft became nan"),
        ((float("inf"), 1.0, 1.0), r"step 7: term\.hard became inf"),
        ((1.0, 1.0, NAN), r"step 7: grad_norm became nan"),
        ((3e38, 3e38, 1.0), r"step 7: loss became inf"),
    ],
)
def test_alarm_names_term_step_and_cure(values: tuple[float, ...], message: str) -> None:
    log = _log(clip_norm=None)
    _add(log, 6, 1.0, 1.0)
    with pytest.raises(TrainingDivergedError, match=message) as error:
        _add(log, 7, *values)
    assert "run/last.pt still holds epoch 1. Start anew with a lower train.lr (now 0.003)" in str(
        error.value
    )
    assert "train.clip_norm (now null)" in str(error.value)


def test_alarm_in_the_first_epoch_promises_no_checkpoint() -> None:
    with pytest.raises(TrainingDivergedError, match="no epoch was finished before"):
        _add(_log(epoch=1), 0, NAN, 1.0)
