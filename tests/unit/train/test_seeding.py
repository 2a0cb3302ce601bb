"""Draws follow (seed, step, process); exact kernels are asked for and given back."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from medistill.train.seeding import exactness, seed_everything, seed_step

CPU = torch.device("cpu")


def _draw(seed: int, step: int, rank: int = 0) -> list[float]:
    seed_step(seed, step, rank=rank, device=CPU)
    values: list[float] = torch.rand(3).tolist()
    return values


def test_step_is_drawn_alike_whatever_came_before() -> None:
    first = _draw(5, 7)
    torch.rand(100)
    assert _draw(5, 7) == first
    others = [_draw(5, 8), _draw(6, 7), _draw(5, 7, rank=1), _draw(57, 0)]
    assert len({*map(tuple, others), tuple(first)}) == 5


def test_seeding_leaves_numpy_and_python_alone() -> None:
    random.seed(1)
    np.random.seed(1)
    wanted = random.random(), np.random.rand()
    random.seed(1)
    np.random.seed(1)
    seed_everything(3)
    one = torch.rand(2)
    assert (random.random(), np.random.rand()) == wanted
    seed_everything(3)
    assert torch.equal(one, torch.rand(2))


def test_exactness_ends_with_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with pytest.raises(KeyError), exactness(True):  # noqa: PT012
        assert torch.are_deterministic_algorithms_enabled()
        raise KeyError
    assert not torch.are_deterministic_algorithms_enabled()
    with exactness(False):
        assert not torch.are_deterministic_algorithms_enabled()
    seed_everything(0, exact=True)
    assert torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
