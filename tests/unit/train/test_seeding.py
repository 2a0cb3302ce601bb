"""Draws follow (seed, step); exact kernels are asked for and given back."""

from __future__ import annotations

import hashlib
import os
import random

import numpy as np
import pytest
import torch

from medistill.core.errors import MachineError
from medistill.train.seeding import exactness, prepare_exactness, seed_everything, seed_step

CPU = torch.device("cpu")


def _draw(seed: int, step: int) -> list[float]:
    seed_step(seed, step, device=CPU)
    values: list[float] = torch.rand(3).tolist()
    return values


def test_step_is_drawn_alike_whatever_came_before() -> None:
    first = _draw(5, 7)
    torch.rand(100)
    assert _draw(5, 7) == first
    others = [_draw(5, 8), _draw(6, 7), _draw(57, 0)]
    assert len({*map(tuple, others), tuple(first)}) == 4


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


def test_draws_are_those_of_earlier_versions() -> None:
    digest = hashlib.blake2b(b"5/7/0", digest_size=8).digest()
    torch.manual_seed(int.from_bytes(digest, "little") >> 1)
    assert torch.rand(3).tolist() == _draw(5, 7)


def test_an_operation_without_an_exact_form_is_named() -> None:
    # One of the few that have none on a processor either.
    def put() -> None:
        torch.zeros(3).put_(torch.tensor([0]), torch.ones(1))

    with (
        pytest.raises(
            MachineError,
            match=r"^--exact: put_ has no deterministic form on this device\. Run with",
        ),
        exactness(True),
    ):
        put()
    assert not torch.are_deterministic_algorithms_enabled()
    with exactness(False):
        put()


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shape"), exactness(True):
        torch.ones(2, 3) @ torch.ones(2, 3)


def test_the_workspace_of_exact_products_is_the_users_or_a_sufficient_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    prepare_exactness()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    prepare_exactness()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
