"""Loss between class scores of networks of different kinds."""

from __future__ import annotations

import torch
from torch import Tensor


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
