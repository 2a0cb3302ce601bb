"""Losses between relations: how scores rise and fall together, whatever their scale.

Dimension key: B batch, K classes or labels.
"""

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
        student: (B, K) logits, B at least 3: of two the correlation is 1 or -1.
        teacher: (B, K) logits; detached here.
        temperature: T, above 0.

    Returns:
        A float32 scalar from 0 to 2 T^2.
    """
    ours, theirs = _probabilities(student, teacher, temperature)
    with torch.autocast(student.device.type, enabled=False):
        return temperature**2 * _distance(ours.T, theirs.T)


def label_relations(
    *, student: Tensor, teacher: Tensor, temperature: float, known: Tensor | None = None
) -> Tensor:
    """One minus Pearson's correlation over the labels of each image, where each is yes or no.

    ``T^2 * mean_B (1 - r_K(p_s, p_t))`` with ``p = sigmoid(logits / T)``: DIST's equation 8 for
    labels that do not exclude each other. With two labels the correlation is 1 or -1 and has no
    gradient.

    Normaliser: mean over the images with at least three labels that count; 0 without any. Computed
    in float32, outside autocast. Gradients reach the student alone.

    Args:
        student: (B, K) logits.
        teacher: (B, K) logits; detached here.
        temperature: T, above 0.
        known: (B, K) bool, the labels that count; None for all.

    Returns:
        A float32 scalar from 0 to 2 T^2.

    Example:
        >>> up, down = torch.tensor([[-1.0, 0.0, 1.0]]), torch.tensor([[1.0, 0.0, -1.0]])
        >>> round(label_relations(student=up, teacher=down, temperature=1.0).item(), 4)
        2.0
    """
    ours, theirs = _chances(student, teacher, temperature)
    with torch.autocast(student.device.type, enabled=False):
        return temperature**2 * _known_distance(ours, theirs, known)


def label_batch_relations(
    *, student: Tensor, teacher: Tensor, temperature: float, known: Tensor | None = None
) -> Tensor:
    """One minus Pearson's correlation over the images of a batch, for each label of yes or no.

    ``T^2 * mean_K (1 - r_B(p_s, p_t))`` with ``p = sigmoid(logits / T)``: DIST's equation 9 for
    labels that do not exclude each other.

    Normaliser: mean over the labels that count in at least three images; 0 without any. Computed in
    float32, outside autocast. Gradients reach the student alone.

    Args:
        student: (B, K) logits, B at least 3: of two the correlation is 1 or -1.
        teacher: (B, K) logits; detached here.
        temperature: T, above 0.
        known: (B, K) bool, the labels that count; None for all.

    Returns:
        A float32 scalar from 0 to 2 T^2.
    """
    ours, theirs = _chances(student, teacher, temperature)
    with torch.autocast(student.device.type, enabled=False):
        counted = None if known is None else known.T
        return temperature**2 * _known_distance(ours.T, theirs.T, counted)


def _probabilities(student: Tensor, teacher: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    ours = torch.softmax(student.float() / temperature, dim=-1)
    return ours, torch.softmax(teacher.detach().float() / temperature, dim=-1)


def _chances(student: Tensor, teacher: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    ours = torch.sigmoid(student.float() / temperature)
    return ours, torch.sigmoid(teacher.detach().float() / temperature)


def _distance(ours: Tensor, theirs: Tensor) -> Tensor:
    """Mean over rows of 1 - Pearson's correlation along them."""
    return (1 - _correlation(ours, theirs, torch.ones_like(ours))).mean()


def _known_distance(ours: Tensor, theirs: Tensor, known: Tensor | None) -> Tensor:
    """The same over what is known, and over rows that know three of their values at least.

    Of two values the correlation is 1 or -1, a constant without a gradient.
    """
    weights = torch.ones_like(ours) if known is None else known.float()
    told = weights.sum(dim=-1) > 2
    return ((1 - _correlation(ours, theirs, weights)) * told).sum() / told.sum().clamp(min=1)


def _correlation(ours: Tensor, theirs: Tensor, weights: Tensor) -> Tensor:
    """Pearson's correlation along each row, over values of weight 1."""
    weights = weights / weights.sum(dim=-1, keepdim=True).clamp(min=1)
    ours, theirs = (each - (weights * each).sum(dim=-1, keepdim=True) for each in (ours, theirs))
    variances = [(weights * each.square()).sum(dim=-1) for each in (ours, theirs)]
    deviations = [each.clamp(min=_FLOOR**2).sqrt() for each in variances]
    return (weights * ours * theirs).sum(dim=-1) / (deviations[0] * deviations[1])
