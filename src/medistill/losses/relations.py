"""Losses between relations: how scores rise and fall together, whatever their scale."""

from __future__ import annotations

import torch
from torch import Tensor

# A deviation below this counts as this: equal scores must not blow the gradient up.
_FLOOR = 1e-2


def class_relations(*, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """One minus Pearson's correlation over the classes of each image.

    ``T^2 * mean_B (1 - r_K(p_s, p_t))`` with ``p = softmax(logits / T)``; Huang, You, Wang, Qian
    and Xu, "Knowledge Distillation from a Stronger Teacher" (DIST), NeurIPS 2022, equation 8. With
    two classes the correlation is 1 or -1 and has no gradient.

    Normaliser: mean over the batch. Computed in float32, outside autocast. Gradients reach the
    student alone.

    Args:
        student: (B, K) logits.
        teacher: (B, K) logits; detached here.
        temperature: T, above 0.

    Returns:
        A float32 scalar from 0 to 2 T^2.

    Example:
        >>> up, down = torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([[2.0, 1.0, 0.0]])
        >>> round(class_relations(student=up, teacher=up, temperature=1.0).item(), 4)
        0.0
    """
    ours, theirs = _probabilities(student, teacher, temperature)
    with torch.autocast(student.device.type, enabled=False):
        return temperature**2 * _distance(ours, theirs)


def batch_relations(*, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """One minus Pearson's correlation over the images of a batch, for each class.

    ``T^2 * mean_K (1 - r_B(p_s, p_t))``; DIST, equation 9. Informative with two classes too.

    Normaliser: mean over the classes. Computed in float32, outside autocast. Gradients reach the
    student alone.

    Args:
        student: (B, K) logits, B at least 2.
        teacher: (B, K) logits; detached here.
        temperature: T, above 0.

    Returns:
        A float32 scalar from 0 to 2 T^2.
    """
    ours, theirs = _probabilities(student, teacher, temperature)
    with torch.autocast(student.device.type, enabled=False):
        return temperature**2 * _distance(ours.T, theirs.T)


def _probabilities(student: Tensor, teacher: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    ours = torch.softmax(student.float() / temperature, dim=-1)
    return ours, torch.softmax(teacher.detach().float() / temperature, dim=-1)


def _distance(ours: Tensor, theirs: Tensor) -> Tensor:
    """Mean over rows of 1 - Pearson's correlation along them."""
    ours, theirs = (each - each.mean(dim=-1, keepdim=True) for each in (ours, theirs))
    deviations = [each.square().mean(-1).clamp(min=_FLOOR**2).sqrt() for each in (ours, theirs)]
    covariance = (ours * theirs).mean(dim=-1)
    return (1 - covariance / (deviations[0] * deviations[1])).mean()
