"""Losses of several labels an image, each of them yes or no.

Dimension key: B batch, K labels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def binary_cross_entropy(*, logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each label's own yes or no; unknown labels do not count.

    ``mean over labelled images of -sum_K (y log p + (1 - y) log(1 - p))``, p = sigmoid(z); Bishop,
    "Pattern Recognition and Machine Learning", 2006, equation 4.90. An image of which some labels
    are unknown counts with those that are known.

    Normaliser: sum over known labels, mean over images with at least one; 0 without any. Unit:
    nats. Computed in float32, outside autocast. Gradients reach the logits alone.

    Args:
        logits: (B, K).
        labels: (B, K) in [0, 1], NaN where unknown.

    Returns:
        A float32 scalar, at least 0.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> labels = torch.tensor([[1.0, 0.0], [1.0, float("nan")]])
        >>> round(binary_cross_entropy(logits=torch.zeros(2, 2), labels=labels).item(), 4)
        1.0397
    """
    return _mean_over_images(logits, labels, focus=0.0, positive=None)


def focal(*, logits: Tensor, labels: Tensor, focus: float, positive: float | None) -> Tensor:
    """Cross-entropy that looks away from labels that are already right.

    ``mean over labelled images of sum_K -a_t (1 - p_t)^focus log p_t`` with p_t = p for a yes and
    1 - p for a no, a_t = positive for a yes and 1 - positive for a no; Lin et al., "Focal Loss for
    Dense Object Detection", ICCV 2017, equation 5. Lin divides by the number of positives.

    Normaliser: sum over known labels, mean over images with at least one; 0 without any. Unit:
    nats. Computed in float32 from logits, outside autocast. Gradients reach the logits alone.

    Args:
        logits: (B, K).
        labels: (B, K) in [0, 1], NaN where unknown; a label between 0 and 1 counts as both in its
            shares.
        focus: gamma, 0 or at least 1 (below 1 its gradient is infinite for a sure label).
        positive: alpha, weight of a yes in (0, 1); None weighs yes and no by 1.

    Returns:
        A float32 scalar, at least 0.

    Raises:
        ValueError: the shapes differ, or ``focus`` is between 0 and 1.

    Example:
        >>> one = torch.ones(1, 1)  # .25 * (1/2)^2 * ln 2
        >>> round(focal(logits=0 * one, labels=one, focus=2.0, positive=0.25).item(), 4)
        0.0433
    """
    return _mean_over_images(logits, labels, focus=focus, positive=positive)


def binary_kl(
    *, student: Tensor, teacher: Tensor, temperature: float, known: Tensor | None = None
) -> Tensor:
    """Divergence of each label's softened yes and no, times T squared.

    ``T^2 * mean_B sum_K KL(Bernoulli(sigmoid(z_t / T)) || Bernoulli(sigmoid(z_s / T)))``: Hinton's
    loss (2015), label by label.

    Normaliser: sum over labels that count, mean over the batch. Unit: nats. Computed in float32,
    outside autocast. Gradients reach the student alone.

    Args:
        student: (B, K) logits.
        teacher: (B, K) logits; detached here.
        temperature: T, above 0.
        known: (B, K) bool, the labels that count; None for all.

    Returns:
        A float32 scalar, at least 0, and 0 where both have the same probabilities.

    Example:
        >>> sure = torch.tensor([[1.0986123]])  # 3/4 against 1/2
        >>> round(binary_kl(student=torch.zeros(1, 1), teacher=sure, temperature=1.0).item(), 4)
        0.1308
    """
    with torch.autocast(student.device.type, enabled=False):
        ours, theirs = student.float() / temperature, teacher.detach().float() / temperature
        yes = torch.sigmoid(theirs) * (functional.logsigmoid(theirs) - functional.logsigmoid(ours))
        no = torch.sigmoid(-theirs) * (
            functional.logsigmoid(-theirs) - functional.logsigmoid(-ours)
        )
        each = yes + no if known is None else (yes + no) * known
        return temperature**2 * each.sum(dim=-1).mean()


def _mean_over_images(
    logits: Tensor, labels: Tensor, *, focus: float, positive: float | None
) -> Tensor:
    if logits.shape != labels.shape:
        raise ValueError(f"logits {tuple(logits.shape)} against labels {tuple(labels.shape)}")
    if 0 < focus < 1:
        raise ValueError(f"a focus of {focus} has an infinite gradient; give 0 or at least 1")
    known = ~labels.isnan()
    with torch.autocast(logits.device.type, enabled=False):
        scores, truth = logits.float(), labels.detach().float().nan_to_num(0.0)
        weights = (1.0, 1.0) if positive is None else (positive, 1 - positive)
        yes = -weights[0] * torch.sigmoid(-scores) ** focus * functional.logsigmoid(scores)
        no = -weights[1] * torch.sigmoid(scores) ** focus * functional.logsigmoid(-scores)
        each = (truth * yes + (1 - truth) * no) * known
        return each.sum() / known.any(dim=-1).sum().clamp(min=1)
