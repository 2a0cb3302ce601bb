"""Label smoothing, mixup and cutmix."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from medistill.core.errors import RecipeError
from medistill.core.types import Task
from medistill.data.batch import Batch
from medistill.train.settings import TrainSettings

# Keeps these draws apart from others that are keyed by (seed, number).
_STREAM = 0x6D6978


class Mixable(Protocol):
    """What mixing asks of targets."""

    @property
    def mixable(self) -> bool:
        """Whether targets of a mixed image can be had."""


@dataclass(frozen=True)
class Mix:
    """How a batch is combined with a permutation of itself.

    Attributes:
        order: (B,) the row that is mixed into each row.
        kept: share of each row's own image and label, lambda in the papers, in [0, 1].
        box: x0, y0, x1, y1 in [0, 1], replaced by the other image (cutmix); None blends (mixup).
    """

    order: Tensor
    kept: float
    box: tuple[float, float, float, float] | None


def refuse_unmixable(settings: TrainSettings, targets: Mixable | None) -> None:
    """Refuse mixing where targets cannot follow it.

    Raises:
        RecipeError: cached targets know single views only, cross-fitted ones single images only.
    """
    if settings.mixes and targets is not None and not targets.mixable:
        raise RecipeError(
            where="train.mixup" if settings.mixup else "train.cutmix",
            what="these targets belong to single images, so they cannot follow a mixed one",
            cure="Set train.mixup and train.cutmix to 0, or ask the teacher live without "
            "cross-fitting.",
        )


def smooth_labels(labels: Tensor, smoothing: float, *, task: Task) -> Tensor:
    """Move a share of each label to the alternatives: y (1 - s) + s / n (Szegedy et al., 2016).

    Args:
        labels: (B, K); NaN, for unlabelled, stays NaN.
        smoothing: s, in [0, 1).
        task: n is K for single-label; 2 (yes and no of each class) for multi-label.
    """
    if smoothing == 0:
        return labels
    alternatives = 2 if task == "multi-label" else labels.shape[1]
    return labels * (1 - smoothing) + smoothing / alternatives


def draw_mix(settings: TrainSettings, step: int, batch_size: int) -> Mix:
    """Draws of one step, a pure function of (seed, step).

    Where both are switched on, each step takes mixup or cutmix with probability 1/2, as in DeiT.
    The area of a cutmix box is 1 - lambda before it is cut at the border; ``kept`` is what is
    left after that.
    """
    bits = np.random.Philox(key=[settings.seed, step], counter=[0, 0, 0, _STREAM])
    generator = np.random.Generator(bits)
    order = torch.from_numpy(generator.permutation(batch_size))
    cuts = settings.cutmix > 0 and (settings.mixup == 0 or generator.random() < 0.5)
    alpha = settings.cutmix if cuts else settings.mixup
    kept = float(generator.beta(alpha, alpha))
    if not cuts:
        return Mix(order, kept, None)
    box = _box(generator.random(2), half=0.5 * float(np.sqrt(1.0 - kept)))
    return Mix(order, 1.0 - (box[2] - box[0]) * (box[3] - box[1]), box)


def mix_batch(batch: Batch, mix: Mix) -> Batch:
    """Combine images, teacher images and labels alike.

    An unlabelled row makes every row it is part of unlabelled, since NaN stays NaN.
    """
    order = mix.order.to(batch.images.device)
    images = _mixed(batch.images, order, mix)
    teacher = batch.teacher_images
    if teacher is not None:
        teacher = images if teacher is batch.images else _mixed(teacher, order, mix)
    labels = mix.kept * batch.labels + (1.0 - mix.kept) * batch.labels[order]
    return replace(batch, images=images, teacher_images=teacher, labels=labels, mixed=True)


def box_mask(box: tuple[float, float, float, float], size: int) -> Tensor:
    """(S, S) share of each pixel that lies in the box.

    Its mean is the box's area at every size, so teacher and student see the same lambda.
    """
    columns = _coverage(box[0], box[2], size)
    rows = _coverage(box[1], box[3], size)
    return rows[:, None] * columns[None, :]


def _box(centre: np.ndarray, *, half: float) -> tuple[float, float, float, float]:
    low, high = np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _coverage(low: float, high: float, size: int) -> Tensor:
    """(S,) share of each of S equal cells of [0, 1] that lies in [low, high]."""
    edges = torch.linspace(0, 1, size + 1, dtype=torch.float64).clamp(low, high)
    return (edges.diff() * size).float()


def _mixed(images: Tensor, order: Tensor, mix: Mix) -> Tensor:
    others = images[order]
    if mix.box is None:
        return mix.kept * images + (1.0 - mix.kept) * others
    return torch.lerp(images, others, box_mask(mix.box, images.shape[-1]).to(images.device))
