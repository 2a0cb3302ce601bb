"""Attention transfer by hand."""

from __future__ import annotations

import math

import pytest
import torch

from medistill.losses.attention import attention_transfer


def test_by_hand() -> None:
    """Squares of the channels are averaged: (1, 4) and (1, 1), each then at length 1."""
    student = torch.tensor([[[[1.0, 2.0]], [[1.0, 2.0]]]])
    teacher = torch.ones(1, 3, 1, 2)
    ours = (1 / math.sqrt(17), 4 / math.sqrt(17))
    expected = sum((value - 1 / math.sqrt(2)) ** 2 for value in ours) / 2
    found = attention_transfer(student=student, teacher=teacher)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_scale_and_sign_do_not_matter() -> None:
    features = torch.randn(2, 3, 4, 4)
    assert attention_transfer(student=-9 * features, teacher=features).item() < 1e-12


def test_maps_meet_at_the_coarser_resolution() -> None:
    coarse = torch.rand(2, 3, 2, 2)
    fine = coarse.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert attention_transfer(student=fine, teacher=coarse).item() < 1e-12
    assert attention_transfer(student=coarse, teacher=fine).item() < 1e-12


def test_large_features_and_zeros_are_safe() -> None:
    half = torch.full((1, 2, 2, 2), 300.0, dtype=torch.float16)
    assert attention_transfer(student=half, teacher=half).isfinite()
    zeros = torch.zeros(1, 2, 2, 2, requires_grad=True)
    attention_transfer(student=zeros, teacher=half).backward()
    assert zeros.grad is not None
    assert zeros.grad.isfinite().all()
