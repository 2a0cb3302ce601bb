"""Standardised logits by hand and against NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from medistill.losses.standard import standardised


def test_by_hand() -> None:
    # mean 2, population deviation sqrt(2/3)
    expected = [-math.sqrt(1.5), 0.0, math.sqrt(1.5)]
    assert standardised(torch.tensor([[1.0, 2.0, 3.0]]))[0].tolist() == pytest.approx(expected)


def test_numpy_gives_the_same() -> None:
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    values = logits.numpy()
    expected = (values - values.mean(1, keepdims=True)) / np.std(values, axis=1, keepdims=True)
    np.testing.assert_allclose(standardised(logits).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_scale_and_shift_are_forgotten() -> None:
    logits = torch.randn(4, 3)
    torch.testing.assert_close(standardised(7 * logits - 2), standardised(logits))


def test_equal_logits_have_a_bounded_gradient() -> None:
    flat = torch.zeros(2, 3, requires_grad=True)
    (standardised(flat) * torch.tensor([1.0, -1.0, 0.0])).sum().backward()
    assert flat.grad is not None
    assert flat.grad.abs().max() <= 100


def test_two_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="2 standardised logits are the same for every image"):
        standardised(torch.zeros(1, 2))
