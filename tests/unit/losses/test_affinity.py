"""Affinities by hand."""

from __future__ import annotations

import math

import pytest
import torch

from medistill.losses.affinity import embedding_affinity, position_affinity

AXES = torch.eye(2)


def kl(p: float, q: float) -> float:
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def test_embeddings_by_hand() -> None:
    """Orthogonal for the teacher (1 and 0), the same for the student (cosines 1/sqrt 2)."""
    p = math.e / (math.e + 1)
    found = embedding_affinity(student=torch.ones(2, 2), teacher=AXES, temperature=1.0)
    assert found.item() == pytest.approx(kl(p, 0.5), rel=1e-5)


def test_further_images_count_as_those_of_the_batch() -> None:
    """One image against itself (cosine 1) and another (0); the student sees both alike."""
    p = math.e / (math.e + 1)
    found = embedding_affinity(
        student=torch.ones(1, 2), teacher=AXES[:1], others=AXES[1:], temperature=1.0
    )
    assert found.item() == pytest.approx(kl(p, 0.5), rel=1e-5)


def test_length_does_not_matter() -> None:
    student, teacher = torch.randn(5, 4), torch.randn(5, 4)
    whole = embedding_affinity(student=student, teacher=teacher, temperature=0.5)
    grown = embedding_affinity(student=7 * student, teacher=1e-3 * teacher, temperature=0.5)
    torch.testing.assert_close(grown, whole)
    agreed = embedding_affinity(student=9 * teacher, teacher=teacher, temperature=0.07)
    assert agreed.item() == pytest.approx(0, abs=1e-6)


def test_positions_by_hand() -> None:
    """Two positions: orthogonal for the teacher, equal for the student, whose width is another."""
    teacher = AXES.reshape(1, 2, 1, 2)
    student = torch.ones(1, 3, 1, 2)
    p = math.e / (math.e + 1)
    found = position_affinity(student=student, teacher=teacher, temperature=1.0)
    assert found.item() == pytest.approx(kl(p, 0.5), rel=1e-5)


def test_positions_meet_on_the_coarser_grid() -> None:
    coarse = torch.randn(2, 5, 2, 2)
    fine = coarse.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert position_affinity(student=fine, teacher=coarse, temperature=0.1).item() < 1e-6
    assert position_affinity(student=coarse, teacher=fine, temperature=0.1).item() < 1e-6


def test_embeddings_of_zeros_are_safe() -> None:
    flat = torch.zeros(3, 4, requires_grad=True)
    embedding_affinity(student=flat, teacher=torch.randn(3, 4), temperature=0.07).backward()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()
