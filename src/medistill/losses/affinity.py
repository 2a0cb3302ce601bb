"""Losses between affinities: who resembles whom, within a batch or within an image.

They compare networks of any width, since only angles between embeddings enter.
Dimension key: B batch, Q further images, D E widths, C channels, H W sides of a map, N positions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from medistill.losses.maps import resized


def embedding_affinity(
    *, student: Tensor, teacher: Tensor, temperature: float, others: Tensor | None = None
) -> Tensor:
    """Divergence of each image's resemblance to the teacher's embeddings of the batch.

    ``mean_B KL(softmax_j(t_i . t_j / T) || softmax_j(s_i . t_j / T))`` with all embeddings at
    length 1; Fang et al., "SEED: Self-supervised Distillation for Visual Representation", ICLR
    2021, equation 4, with j over the batch, and over ``others`` as over its queue. Needs no labels.

    Normaliser: sum over j, mean over the batch i. Unit: nats. Computed in float32,
    outside autocast. Gradients reach the student alone.

    Args:
        student: (B, D) embeddings, projected to the teacher's width.
        teacher: (B, D) embeddings; detached here.
        temperature: T, above 0; .07 looks at near neighbours only.
        others: (Q, D) the teacher's embeddings of further images; detached here; None for none.

    Returns:
        A float32 scalar, at least 0, and 0 where both point the same way.

    Raises:
        ValueError: the shapes differ.
    """
    if student.shape != teacher.shape:
        raise ValueError(f"student {tuple(student.shape)} against teacher {tuple(teacher.shape)}")
    with torch.autocast(student.device.type, enabled=False):
        keys = anchors = _unit(teacher.detach().float())
        if others is not None:
            keys = torch.cat([anchors, _unit(others.detach().float())])
        ours = torch.log_softmax(_unit(student.float()) @ keys.T / temperature, dim=-1)
        theirs = torch.log_softmax(anchors @ keys.T / temperature, dim=-1)
        return functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)


def position_affinity(*, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Divergence of the resemblances between the positions of an image.

    ``mean_B mean_N KL(softmax_m(t_n . t_m / T) || softmax_m(s_n . s_m / T))`` with all features at
    length 1, on the coarser of the two grids; the spatial form of Tung and Mori,
    "Similarity-Preserving Knowledge Distillation", ICCV 2019, with a softmax as in SEED. Needs no
    labels and no projection.

    Normaliser: sum over m, mean over positions and batch. Unit: nats. Computed in float32, outside
    autocast. Gradients reach the student alone.

    Args:
        student: (B, C, h, w) map of features.
        teacher: (B, E, H, W) map of features; detached here.
        temperature: T, above 0.

    Returns:
        A float32 scalar, at least 0.
    """
    with torch.autocast(student.device.type, enabled=False):
        height, width = map(min, student.shape[-2:], teacher.shape[-2:])
        ours = _affinities(resized(student, (height, width)), temperature)
        theirs = _affinities(resized(teacher.detach(), (height, width)), temperature)
        each = functional.kl_div(ours, theirs, reduction="none", log_target=True).sum(dim=-1)
        return each.mean()


def _affinities(maps: Tensor, temperature: float) -> Tensor:
    """(B, N, N) log-probabilities of (B, C, H, W)."""
    rows = _unit(maps.flatten(2).transpose(1, 2))
    return torch.log_softmax(rows @ rows.transpose(1, 2) / temperature, dim=-1)


def _unit(rows: Tensor) -> Tensor:
    """Rows at length 1; a row of zeros stays zeros, with a bounded gradient."""
    return rows / rows.square().sum(dim=-1, keepdim=True).clamp(min=1e-8).sqrt()
