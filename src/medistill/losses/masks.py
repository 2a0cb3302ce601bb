"""Losses against masks, and between the class scores of pixels.

Dimension key: B batch, K classes, H W sides.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

#: Class index of a pixel that nobody labelled.
UNKNOWN = 255


def pixel_cross_entropy(*, logits: Tensor, masks: Tensor) -> Tensor:
    """Cross-entropy of each labelled pixel.

    ``mean over labelled pixels of -log softmax(z)_y``; Bishop, "Pattern Recognition and Machine
    Learning", 2006, equation 4.108.

    Normaliser: mean over the labelled pixels of the batch; 0 without any. Unit: nats. Computed in
    float32, outside autocast. Gradients reach the logits alone.

    Args:
        logits: (B, K, H, W).
        masks: (B, H, W) int64 class indices, 255 where unknown.

    Example:
        >>> masks = torch.tensor([[[0, 255]]])
        >>> round(pixel_cross_entropy(logits=torch.zeros(1, 2, 1, 2), masks=masks).item(), 4)
        0.6931
    """
    with torch.autocast(logits.device.type, enabled=False):
        total = functional.cross_entropy(
            logits.float(), masks, ignore_index=UNKNOWN, reduction="sum"
        )
        return total / (masks != UNKNOWN).sum().clamp(min=1)


def soft_dice(*, logits: Tensor, masks: Tensor) -> Tensor:
    """One minus the overlap of soft and true masks.

    ``mean over labelled images and foreground classes of 1 - (2 sum p y + 1) / (sum p + sum y +
    1)``; Milletari, Navab and Ahmadi, "V-Net", 3DV 2016, without squares in the denominator and
    with one pixel added, so that an absent class that is not predicted costs nothing.

    Normaliser: sum over pixels, mean over classes 1 to K - 1 and labelled images; 0 without any.
    Computed in float32, outside autocast. Gradients reach the logits alone.

    Args:
        logits: (B, K, H, W), class 0 the background.
        masks: (B, H, W) int64 class indices, 255 where unknown.

    Returns:
        A float32 scalar in [0, 1].
    """
    with torch.autocast(logits.device.type, enabled=False):
        known = (masks != UNKNOWN)[:, None]
        chances = torch.softmax(logits.float(), dim=1) * known
        classes = logits.shape[1]
        truth = functional.one_hot(masks.where(known[:, 0], 0), classes).permute(0, 3, 1, 2) * known
        both = (chances * truth).sum(dim=(2, 3))[:, 1:]
        either = (chances + truth).sum(dim=(2, 3))[:, 1:]
        labelled = known.flatten(1).any(dim=1)
        each = (1 - (2 * both + 1) / (either + 1)).mean(dim=1) * labelled
        return each.sum() / labelled.sum().clamp(min=1)


def pixel_kl(*, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Softened divergence of the class probabilities of pixels, times T squared.

    ``T^2 * mean over pixels and batch of KL(softmax(z_t / T) || softmax(z_s / T))``: Hinton's loss
    (2015) at each pixel.

    Normaliser: sum over classes, mean over pixels and batch. Unit: nats. Computed in float32,
    outside autocast. Gradients reach the student alone.

    Args:
        student: (B, K, h, w) logits, interpolated to the teacher's size.
        teacher: (B, K, H, W) logits; detached here.
        temperature: T, above 0.

    Returns:
        A float32 scalar, at least 0.
    """
    with torch.autocast(student.device.type, enabled=False):
        size = (teacher.shape[-2], teacher.shape[-1])
        ours = student.float()
        if student.shape[-2:] != teacher.shape[-2:]:
            ours = functional.interpolate(ours, size=size, mode="bilinear", align_corners=False)
        ours = torch.log_softmax(ours / temperature, dim=1)
        theirs = torch.log_softmax(teacher.detach().float() / temperature, dim=1)
        each = functional.kl_div(ours, theirs, reduction="none", log_target=True).sum(dim=1)
        return temperature**2 * each.mean()
