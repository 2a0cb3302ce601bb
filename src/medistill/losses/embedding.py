"""Losses between pooled embeddings."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def embedding_match(*, student: Tensor, teacher: Tensor) -> Tensor:
    """Smooth L1 distance to the teacher's embedding after its layer-norm.

    ``mean_B mean_D s(f_s - LN(f_t))`` with ``s(d) = d^2 / 2`` for ``|d| < 1``, else
    ``|d| - 1/2``, and LN the layer-norm without learned scale (each row to mean 0 and deviation
    1); Miles, Elezi and Deng, "VkD: Improving Knowledge Distillation using Orthogonal
    Projections", CVPR 2024, section 3, for features of a network of another kind. The layer-norm
    gives every teacher the same scale; the student's embedding is free, so that a constant one
    cannot blow its gradient up.

    Normaliser: mean over the embedding and over the batch. Computed in float32, outside autocast.
    Gradients reach the student alone.

    Args:
        student: (B, D) embeddings, projected to the teacher's width.
        teacher: (B, D) embeddings; detached here. A constant row counts as zeros.

    Returns:
        A float32 scalar, at least 0, and 0 where the student equals LN(teacher).

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> teacher = torch.tensor([[1.0, 3.0]])  # mean 2, deviation 1: normalised to -1 and 1
        >>> round(embedding_match(student=torch.zeros(1, 2), teacher=teacher).item(), 4)
        0.5
    """
    if student.shape != teacher.shape:
        raise ValueError(f"student {tuple(student.shape)} against teacher {tuple(teacher.shape)}")
    with torch.autocast(student.device.type, enabled=False):
        goal = functional.layer_norm(teacher.detach().float(), teacher.shape[-1:])
        return functional.smooth_l1_loss(student.float(), goal)
