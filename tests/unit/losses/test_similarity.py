"""Similarity preservation by hand and against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medistill.losses.similarity import similarity_preserving


def test_numpy_gives_the_same() -> None:
    generator = torch.Generator().manual_seed(0)
    student = torch.randn(5, 3, 4, 4, generator=generator)
    teacher = torch.randn(5, 7, 2, 2, generator=generator)

    def matrix(features: torch.Tensor) -> np.ndarray:
        flat = features.flatten(1).double().numpy()
        product = flat @ flat.T
        return product / np.linalg.norm(product, axis=1, keepdims=True)

    expected = np.square(matrix(student) - matrix(teacher)).sum() / 25
    found = similarity_preserving(student=student, teacher=teacher)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_scale_does_not_matter() -> None:
    features = torch.randn(4, 6)
    assert similarity_preserving(student=1e20 * features, teacher=features).item() < 1e-10


def test_zeros_are_safe() -> None:
    zeros = torch.zeros(3, 4, requires_grad=True)
    similarity_preserving(student=zeros, teacher=torch.randn(3, 4)).backward()
    assert zeros.grad is not None
    assert zeros.grad.isfinite().all()


def test_one_image_resembles_nothing() -> None:
    with pytest.raises(ValueError, match="similarities of 1 images"):
        similarity_preserving(student=torch.ones(1, 2), teacher=torch.ones(1, 2))
