"""Losses between class scores of networks of different kinds.

Dimension key: B batch, K classes or labels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def target_enhanced(*, student: Tensor, teacher: Tensor, labels: Tensor, power: float) -> Tensor:
    """Cross-entropy to the teacher's probabilities with the target class enhanced.

    ``mean_B -sum_K ((p_t + y)^power - y) log p_s``; Hao et al., "One-for-All: Bridge the Gap
    Between Heterogeneous Architectures in Knowledge Distillation", NeurIPS 2023, equation 5. With
    power 1 it is the cross-entropy to p_t; above 1 it leans to the label the more the surer the
    teacher is of it. Its minimum over p_s is at the weights divided by their sum.

    Normaliser: sum over classes, mean over the batch. Unit: nats. Computed in float32, outside
    autocast. Gradients reach the student alone.

    Args:
        student: (B, K) logits.
        teacher: (B, K) logits; detached here.
        labels: (B, K) class probabilities; a row of NaN is an unlabelled image, whose y is 0.
        power: at least 1, usually up to 1.5.

    Returns:
        A float32 scalar, at least 0.

    Example:
        >>> even = torch.zeros(1, 2)  # ((1/2 + 1)^2 - 1) ln 2 + (1/2)^2 ln 2 = 1.5 ln 2
        >>> loss = target_enhanced(student=even, teacher=even, labels=torch.eye(2)[:1], power=2.0)
        >>> round(loss.item(), 4)
        1.0397
    """
    with torch.autocast(student.device.type, enabled=False):
        known = labels.detach().float().nan_to_num(0.0)
        weights = (torch.softmax(teacher.detach().float(), dim=-1) + known) ** power - known
        return -(weights * torch.log_softmax(student.float(), dim=-1)).sum(dim=-1).mean()


def target_enhanced_labels(
    *,
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    power: float,
    known: Tensor | None = None,
) -> Tensor:
    """The same for several labels an image: each is yes or no, and the true of both is enhanced.

    ``mean_B sum_K -[((p_t + y)^power - y) log p_s + ((q_t + n)^power - n) log q_s]`` with p =
    sigmoid(z), q = 1 - p and n = 1 - y: ``target_enhanced`` of two classes, label by label.

    Normaliser: sum over labels that count, mean over the batch. Unit: nats. Computed in float32,
    outside autocast. Gradients reach the student alone.

    Args:
        student: (B, K) logits.
        teacher: (B, K) logits; detached here.
        labels: (B, K) in [0, 1]; NaN where unknown, with y and n then 0.
        power: at least 1, usually up to 1.5.
        known: (B, K) bool, the labels that count; None for all.

    Returns:
        A float32 scalar, at least 0.

    Example:
        >>> even = torch.zeros(1, 1)  # ((1/2 + 1)^2 - 1) ln 2 + (1/2)^2 ln 2 = 1.5 ln 2
        >>> yes = torch.ones(1, 1)
        >>> loss = target_enhanced_labels(student=even, teacher=even, labels=yes, power=2.0)
        >>> round(loss.item(), 4)
        1.0397
    """
    with torch.autocast(student.device.type, enabled=False):
        ours, theirs = student.float(), teacher.detach().float()
        truth = labels.detach().float()
        yes, no = truth.nan_to_num(0.0), (1 - truth).nan_to_num(0.0)
        for_yes = ((torch.sigmoid(theirs) + yes) ** power - yes) * functional.logsigmoid(ours)
        for_no = ((torch.sigmoid(-theirs) + no) ** power - no) * functional.logsigmoid(-ours)
        each = for_yes + for_no if known is None else (for_yes + for_no) * known
        return -each.sum(dim=-1).mean()
