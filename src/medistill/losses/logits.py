"""Losses between class scores."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def softened_kl(*, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of softened class probabilities, times T squared.

    ``T^2 * mean_B sum_K p_t (log p_t - log p_s)`` with ``p = softmax(logits / T)``; Hinton,
    Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2, which gives
    the factor T^2: without it the gradient shrinks as 1 / T^2.

    Normaliser: sum over classes, mean over the batch (not over batch times classes). Unit: nats.
    Computed in float32, outside autocast. Gradients reach the student alone.

    Args:
        student: (B, K) logits.
        teacher: (B, K) logits; detached here.
        temperature: T, above 0; high values show more of the small probabilities.

    Returns:
        A float32 scalar, at least 0, and 0 where both have the same probabilities.

    Example:
        >>> even, sure = torch.zeros(1, 2), torch.tensor([[0.0, 1.0986123]])  # 1/4 against 3/4
        >>> round(softened_kl(student=even, teacher=sure, temperature=1.0).item(), 4)
        0.1308
    """
    with torch.autocast(student.device.type, enabled=False):
        ours = functional.log_softmax(student.float() / temperature, dim=-1)
        theirs = functional.log_softmax(teacher.detach().float() / temperature, dim=-1)
        divergence = functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)
        return temperature**2 * divergence
