"""Loss between similarities of the images of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

# A row whose norm is below this counts as one of this norm, so that zeros are safe.
_FLOOR = 1e-6


def similarity_preserving(*, student: Tensor, teacher: Tensor) -> Tensor:
    """Squared difference of the matrices that say which images of a batch resemble each other.

    ``|G_s - G_t|_F^2 / B^2`` with G the rows of ``F F^T`` at length 1, F (B, all features); Tung
    and Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019, equations 1 to 4. For the
    same images it falls about as 1 / B.

    Normaliser: sum over pairs, divided by B squared. Computed in float32, outside autocast.
    Gradients reach the student alone.

    Args:
        student: (B, ...) features.
        teacher: (B, ...) features of any size; detached here.

    Returns:
        A float32 scalar, at least 0.

    Raises:
        ValueError: fewer than two images, which have no resemblance, or different batches.

    Example:
        >>> apart, same = torch.eye(2), torch.ones(2, 2)  # rows (1, 0) against (1, 1) / sqrt(2)
        >>> round(similarity_preserving(student=same, teacher=apart).item(), 4)
        0.2929
    """
    count = len(student)
    if count < 2 or count != len(teacher):
        raise ValueError(f"similarities of {count} images against {len(teacher)}")
    with torch.autocast(student.device.type, enabled=False):
        ours, theirs = (_similarities(each.float()) for each in (student, teacher.detach()))
        return (ours - theirs).square().sum() / count**2


def _similarities(features: Tensor) -> Tensor:
    # Scaled first: products of large features would overflow, and rows are normalised anyway.
    flat = features.flatten(1)
    flat = flat / flat.detach().abs().amax().clamp(min=_FLOOR)
    rows = flat @ flat.T
    return rows / rows.square().sum(dim=-1, keepdim=True).clamp(min=_FLOOR**2).sqrt()
