"""The average by hand, and how fast it may forget."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medistill.train.ema import Ema, longest_decay


def _module(weight: float, mean: float, count: int) -> nn.BatchNorm1d:
    module = nn.BatchNorm1d(1)
    _set(module, weight, mean, count)
    return module


def _set(module: nn.BatchNorm1d, weight: float, mean: float, count: int) -> None:
    values = {"weight": weight, "running_mean": mean, "num_batches_tracked": count}
    state = module.state_dict()
    for name, value in values.items():
        state[name].fill_(value)


def test_parameters_and_buffers_follow_by_hand() -> None:
    source = _module(1.0, 10.0, 0)
    ema = Ema(source, decay=0.999, total_steps=10**6)
    _set(source, 2.0, 20.0, 7)
    ema.update(0)  # decay 1/10
    assert ema.network.weight.item() == pytest.approx(1.9)
    assert ema.network.running_mean is not None
    assert ema.network.running_mean.item() == pytest.approx(19.0)
    assert ema.network.num_batches_tracked is not None
    assert ema.network.num_batches_tracked.item() == 7
    _set(source, 4.0, 20.0, 8)
    ema.update(1)  # decay 2/11
    assert ema.network.weight.item() == pytest.approx(1.9 * 2 / 11 + 4 * 9 / 11)
    assert source.weight.item() == 4.0


def test_decay_warms_up_to_the_smallest_of_three() -> None:
    long = Ema(nn.Linear(1, 1), decay=0.99, total_steps=10**6)
    assert [long.decay(0), long.decay(10), long.decay(10**5)] == [0.1, 11 / 20, 0.99]
    short = Ema(nn.Linear(1, 1), decay=0.9999, total_steps=100)
    assert short.decay(10**5) ** 10 == pytest.approx(0.5)


def test_half_life_is_a_tenth_of_the_steps() -> None:
    assert longest_decay(400) ** 40 == pytest.approx(0.5)


def test_average_is_a_frozen_copy_in_eval_mode() -> None:
    source = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)).train()
    ema = Ema(source, decay=0.9, total_steps=10)
    assert not ema.network.training
    assert not ema.network[1].training
    assert source.training
    assert source[0].weight.requires_grad
    assert not any(parameter.requires_grad for parameter in ema.network.parameters())
    assert ema.network[0].weight.data_ptr() != source[0].weight.data_ptr()


def test_average_runs_after_updates_under_autograd() -> None:
    source = nn.Linear(2, 1)
    ema = Ema(source, decay=0.9, total_steps=10)
    source(torch.ones(1, 2)).sum().backward()
    ema.update(0)
    assert ema.network(torch.ones(1, 2)).grad_fn is None
