"""Masks of a network or a teacher for rows of the store, without augmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from medistill.data.batch import Batch
from medistill.data.loader import plain_batches
from medistill.losses.masks import pixel_cross_entropy
from medistill.models.network import Network
from medistill.stages.data import Prepared
from medistill.teacher.frozen import FrozenTeacher

_BATCH = 16

#: From a batch to the logits (B, K, S, S) of its images.
Ask = Callable[[Batch], Tensor]


def ask_network(network: Network) -> Ask:
    """A network that answers in eval mode."""
    device = next(network.parameters()).device

    def ask(batch: Batch) -> Tensor:
        training = network.training
        network.eval()
        with torch.inference_mode():
            logits: Tensor = network(batch.images.to(device)).logits.float().cpu()
        network.train(training)
        return logits

    return ask


def ask_teacher(teacher: FrozenTeacher) -> Ask:
    """A teacher; a cross-fitted one answers with its members' mean."""
    names = frozenset({"logits"})
    return lambda batch: teacher.targets(batch.images, names, batch.hashes)["logits"].cpu()


def predicted_masks(
    ask: Ask, prepared: Prepared, rows: Sequence[int], network: Network
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Each row with its mask (H, W) of class indices, at the size of the row's true mask."""
    for batch in _batches(prepared, rows, network):
        for row, logits in zip(batch.index.tolist(), ask(batch), strict=True):
            yield row, resized_mask(logits, _shape(prepared, row))


def resized_mask(logits: Tensor, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W) class indices of (K, S, S) logits, interpolated to ``shape``."""
    chances = torch.softmax(logits, dim=0)[None]
    grown = functional.interpolate(chances, size=shape, mode="bilinear", align_corners=False)
    classes: NDArray[np.uint8] = grown[0].argmax(dim=0).numpy().astype(np.uint8)
    return classes


def mask_scores(network: Network, prepared: Prepared, rows: Sequence[int]) -> Mapping[str, float]:
    """Scores by which a checkpoint is chosen, at the network's own resolution.

    Returns:
        ``dice``: mean over images of the mean Dice of the foreground classes that the truth or
        the network sees; ``loss``: mean cross-entropy of a pixel, in nats.
    """
    ask, dices, losses = ask_network(network), [], []
    for batch in _batches(prepared, rows, network):
        logits, masks = ask(batch), batch.masks_or_fail()
        losses.append(pixel_cross_entropy(logits=logits, masks=masks).item() * len(batch))
        dices += [_dice(mine, truth) for mine, truth in zip(logits.argmax(1), masks, strict=True)]
    return {"dice": float(np.nanmean(dices)), "loss": sum(losses) / len(rows)}


def _dice(predicted: Tensor, truth: Tensor) -> float:
    known = truth != 255
    classes = set(predicted[known].tolist()) | set(truth[known].tolist())
    each = []
    for value in classes - {0}:
        mine, their = (predicted == value) & known, truth == value
        each.append(2 * (mine & their).sum().item() / (mine.sum() + their.sum()).item())
    return sum(each) / len(each) if each else 1.0


def _shape(prepared: Prepared, row: int) -> tuple[int, int]:
    if prepared.masks is not None and prepared.masks.known(row):
        height, width = prepared.masks[row].shape
    else:
        height, width = prepared.store[row].shape[:2]
    return height, width


def _batches(prepared: Prepared, rows: Sequence[int], network: Network) -> Iterator[Batch]:
    return plain_batches(
        prepared.store,
        torch.from_numpy(prepared.labels),
        rows,
        size=network.preprocessing.size,
        batch_size=_BATCH,
        fit=network.preprocessing.fit,
        masks=prepared.masks,
        memory=prepared.views,
    )
