"""Losses against labels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def cross_entropy(*, logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy against class probabilities; unlabelled images do not count.

    ``mean over labelled rows of -sum_K y log softmax(logits)``; Bishop, "Pattern Recognition and
    Machine Learning", 2006, equation 4.108. With y one-hot this is the usual classification loss;
    label smoothing and mixup enter through y.

    Normaliser: sum over classes, mean over the labelled rows of the batch; 0 when there are none.
    Unit: nats. Computed in float32, outside autocast. Gradients reach the logits alone.

    Args:
        logits: (B, K).
        labels: (B, K) class probabilities; a row of NaN is an unlabelled image.

    Returns:
        A float32 scalar, at least the labels' own entropy (0 for one-hot labels).

    Raises:
        ValueError: the shapes differ, or a row is NaN in some classes but not in all: that is a
            multi-label image, for which classes are not exclusive and this loss is wrong.

    Example:
        >>> labels = torch.tensor([[1.0, 0.0], [float("nan"), float("nan")]])
        >>> round(cross_entropy(logits=torch.zeros(2, 2), labels=labels).item(), 4)
        0.6931
    """
    if logits.shape != labels.shape:
        raise ValueError(f"logits {tuple(logits.shape)} against labels {tuple(labels.shape)}")
    unknown = labels.isnan()
    labelled = ~unknown.all(dim=-1)
    if bool((unknown.any(dim=-1) & labelled).any()):
        raise ValueError("a row of labels is NaN in some classes only: these are multi-label")
    with torch.autocast(logits.device.type, enabled=False):
        known = labels.detach().float().masked_fill(unknown, 0.0)
        rows = -(known * functional.log_softmax(logits.float(), dim=-1)).sum(dim=-1)
        return rows.sum() / labelled.sum().clamp(min=1)
