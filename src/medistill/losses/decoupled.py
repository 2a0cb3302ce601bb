"""Softened divergences with the target class taken apart from the others.

Dimension key: B batch, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def target_kl(*, student: Tensor, teacher: Tensor, target: Tensor, temperature: float) -> Tensor:
    """Divergence of "the target class or not".

    ``T^2 * mean_B KL((p_y, 1 - p_y) of the teacher || of the student)`` with ``p = softmax(z/T)``;
    Zhao, Cui, Song, Qiu and Liang, "Decoupled Knowledge Distillation", CVPR 2022, equation 7, its
    term TCKD.

    Normaliser: sum over the two events, mean over the batch. Unit: nats. Computed in float32,
    outside autocast. Gradients reach the student alone.

    Args:
        student: (B, K) logits.
        teacher: (B, K) logits; detached here.
        target: (B,) int64 index of each image's target class.
        temperature: T, above 0.

    Returns:
        A float32 scalar, at least 0.
    """
    with torch.autocast(student.device.type, enabled=False):
        ours = _target_or_not(student.float() / temperature, target)
        theirs = _target_or_not(teacher.detach().float() / temperature, target)
        return temperature**2 * _divergence(ours, theirs)


def others_kl(*, student: Tensor, teacher: Tensor, target: Tensor, temperature: float) -> Tensor:
    """Divergence among the classes that are not the target.

    ``T^2 * mean_B KL(q_t || q_s)`` with q the softmax over the K - 1 other classes; the term NCKD
    of "Decoupled Knowledge Distillation". With two classes q is 1 and the term has no gradient.

    Normaliser: sum over classes, mean over the batch. Unit: nats. Computed in float32, outside
    autocast. Gradients reach the student alone.

    Args:
        student: (B, K) logits, K at least 3 to teach anything.
        teacher: (B, K) logits; detached here.
        target: (B,) int64 index of each image's target class.
        temperature: T, above 0.

    Returns:
        A float32 scalar, at least 0.
    """
    with torch.autocast(student.device.type, enabled=False):
        ours = torch.log_softmax(others(student.float(), target) / temperature, dim=-1)
        theirs = others(teacher.detach().float(), target) / temperature
        return temperature**2 * _divergence(ours, torch.log_softmax(theirs, dim=-1))


def target_entropy(*, student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of the target class, weighted by how sure the teacher is of it.

    ``mean_B -p_t(y) log p_s(y)``; Yang et al., "From Knowledge Distillation to Self-Knowledge
    Distillation: A Unified Approach with Normalized Loss and Customized Soft Labels" (NKD), ICCV
    2023, equation 9, without the class loss. Its infimum is 0, approached by p_s(y) = 1, so it is
    not smallest where student and teacher agree.

    Normaliser: mean over the batch. Unit: nats. Computed in float32, outside autocast. Gradients
    reach the student alone.

    Args:
        student: (B, K) logits.
        teacher: (B, K) logits; detached here.
        target: (B,) int64 index of each image's target class.
    """
    with torch.autocast(student.device.type, enabled=False):
        ours = functional.nll_loss(
            torch.log_softmax(student.float(), dim=-1), target, reduction="none"
        )
        sure = torch.softmax(teacher.detach().float(), dim=-1).gather(1, target[:, None])[:, 0]
        return (sure * ours).mean()


def others(logits: Tensor, target: Tensor) -> Tensor:
    """(B, K - 1) logits of the classes that are not each row's target (B,), in their order."""
    keep = torch.ones_like(logits, dtype=torch.bool).scatter_(1, target[:, None], False)
    return logits[keep].reshape(len(logits), -1)


def _target_or_not(logits: Tensor, target: Tensor) -> Tensor:
    """(B, 2) log-probabilities of the target and of all others."""
    scores = torch.log_softmax(logits, dim=-1)
    rest = torch.logsumexp(others(scores, target), dim=-1)
    return torch.stack([scores.gather(1, target[:, None])[:, 0], rest], dim=1)


def _divergence(ours: Tensor, theirs: Tensor) -> Tensor:
    return functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)
