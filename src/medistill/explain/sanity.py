"""May a map be believed? Deletion, insertion, weight randomisation, pointing game, agreement."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn import functional

from medistill.models.network import Network

Maps = NDArray[np.float64]
STEPS = 16


def deletion_insertion(
    network: Network,
    images: Tensor,
    maps: Tensor,
    classes: Tensor,
    *,
    steps: int = STEPS,
    exclusive: bool = True,
) -> tuple[Maps, Maps]:
    """Area under the class probability as the most important pixels are removed, or brought in.

    Petsiuk, Das and Saenko, "RISE", BMVC 2018, section 4.2; removed pixels are blurred, since
    black is a finding in some modalities. A faithful map has a low deletion area and a high
    insertion area; compare with a map of random numbers.

    Args:
        network: in eval mode on any device.
        images: (B, C, S, S) in [0, 1], on the processor.
        maps: (B, S, S), on the processor as all that follows.
        classes: (B,) class numbers.
        steps: steps from none to all pixels.
        exclusive: whether the classes exclude each other; labels take the logistic function.

    Returns:
        Deletion and insertion areas, (B,) in [0, 1].
    """
    blurred = _blurred(images)
    rank = maps.flatten(1).argsort(dim=1, descending=True).argsort(dim=1)
    order = rank.reshape(maps.shape)[:, None] / max(1, maps[0].numel())
    deleted: list[Maps] = []
    inserted: list[Maps] = []
    with torch.inference_mode():
        for step in range(steps + 1):
            first = order < step / steps
            deleted.append(
                _chance(network, torch.where(first, blurred, images), classes, exclusive)
            )
            inserted.append(
                _chance(network, torch.where(first, images, blurred), classes, exclusive)
            )
    return _area(deleted), _area(inserted)


def randomised(network: Network, *, seed: int = 0) -> Network:
    """A copy whose every weight is a permutation of its own, the network's statistics kept.

    For the randomisation test of Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018:
    a map that hardly changes does not show what was learnt.
    """
    other, random = copy.deepcopy(network), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in other.parameters():
            flat = weight.flatten()
            weight.copy_(
                flat[torch.randperm(flat.numel(), generator=random).to(flat.device)].reshape(
                    weight.shape
                )
            )
    return other.eval()


def agreement(first: Tensor, second: Tensor, *, side: int = 16) -> Maps:
    """Spearman's rank correlation of two maps an image, (B,) in [-1, 1]; NaN for a flat map.

    Both are brought to ``side`` x ``side`` first, so that smoothness does not count as agreement.
    """
    small = [
        functional.adaptive_avg_pool2d(m[:, None], side).flatten(1).numpy() for m in (first, second)
    ]
    return np.array(
        [
            spearmanr(a, b).statistic if np.ptp(a) > 0 and np.ptp(b) > 0 else np.nan
            for a, b in zip(*small, strict=True)
        ]
    )


def tolerant(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Masks grown by the pointing game's tolerance, 15 pixels of 500: 3 % of the side."""
    reach = max(1, round(0.03 * masks.shape[1]))
    grown = [binary_dilation(mask, iterations=reach) for mask in masks]
    return np.stack(grown).astype(bool)


def points_at(maps: Tensor, masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the largest value of each map lies inside its mask: the pointing game.

    Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016, section 4.2;
    their tolerance is ``tolerant``. A flat map misses.

    Args:
        maps: (B, S, S).
        masks: (B, S, S).
    """
    flat = maps.flatten(1).numpy()
    hits = masks.reshape(len(masks), -1)[np.arange(len(flat)), flat.argmax(axis=1)]
    return np.asarray(hits & (flat.max(axis=1) > flat.min(axis=1)))


def centre_points_at(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the middle of the image lies inside each mask: the centre prior, (B,)."""
    return np.asarray(masks[:, masks.shape[1] // 2, masks.shape[2] // 2])


def mask_shares(masks: NDArray[np.bool_]) -> Maps:
    """Share of each image that its mask covers: what pointing at random hits, (B,)."""
    return np.asarray(masks.reshape(len(masks), -1).mean(axis=1))


def _blurred(images: Tensor) -> Tensor:
    side = images.shape[-1]
    small = functional.adaptive_avg_pool2d(images, max(1, side // 16))
    return functional.interpolate(small, size=(side, side), mode="bilinear", align_corners=False)


def _chance(network: Network, images: Tensor, classes: Tensor, exclusive: bool) -> Maps:
    logits = network(images.to(network.mean.device)).logits.float().cpu()
    chances = logits.softmax(dim=1) if exclusive else logits.sigmoid()
    return np.asarray(chances.gather(1, classes[:, None])[:, 0].numpy(), dtype=np.float64)


def _area(values: Sequence[Maps]) -> Maps:
    return np.asarray(np.trapezoid(np.stack(values), dx=1 / (len(values) - 1), axis=0))
