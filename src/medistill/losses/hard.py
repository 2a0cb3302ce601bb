"""Distillation through the teacher's decision."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def hard_decision(
    *, student: Tensor, teacher: Tensor, class_weights: Tensor | None = None
) -> Tensor:
    """Cross-entropy against the teacher's top class.

    ``sum_B w_y CE(z_s, y) / sum_B w_y`` with ``y = argmax z_t`` and w = 1 where no weights are
    given; Touvron et al., "Training data-efficient image transformers", ICML 2021, section 4,
    "hard-label distillation". The weighted form is that of "Data-Efficient Training of Pure Vision
    Transformers for the Task of Chest X-ray Abnormality Detection Using Knowledge Distillation",
    EMBC 2022.

    Normaliser: weighted mean over the batch, as PyTorch's. Unit: nats. Computed in float32, outside
    autocast. Gradients reach the student alone.

    Args:
        student: (B, K) logits.
        teacher: (B, K) logits.
        class_weights: (K,) weights above 0, or None for 1.

    Returns:
        A float32 scalar, at least 0.

    Example:
        >>> teacher = torch.tensor([[3.0, 1.0], [0.0, 5.0]])
        >>> round(hard_decision(student=torch.zeros(2, 2), teacher=teacher).item(), 4)
        0.6931
    """
    with torch.autocast(student.device.type, enabled=False):
        weights = None if class_weights is None else class_weights.to(student.device).float()
        return functional.cross_entropy(student.float(), teacher.argmax(dim=-1), weight=weights)
