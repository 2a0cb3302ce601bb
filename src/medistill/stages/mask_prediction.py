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
from medistill.imaging.preprocessing import Preprocessing
from medistill.losses.masks import pixel_cross_entropy
from medistill.models.network import Network
from medistill.stages.data import Prepared
from medistill.teacher.frozen import FrozenTeacher

_BATCH = 16
#: Decisions are fitted on every n-th pixel both ways, so that at most so many remain a side.
GRID = 64

#: From a batch to the logits (B, K, S, S) and wanted features of its images.
AskBatch = Callable[[Batch], Mapping[str, Tensor]]


def ask_network(network: Network, want: frozenset[str] = frozenset()) -> AskBatch:
    """A network that answers in eval mode."""
    device = next(network.parameters()).device

    def ask(batch: Batch) -> dict[str, Tensor]:
        training = network.training
        network.eval()
        with torch.inference_mode():
            outputs = network(batch.images.to(device), want)
        network.train(training)
        found = {**outputs.features, "logits": outputs.logits}
        return {name: found[name].float().cpu() for name in (*want, "logits")}

    return ask


def ask_teacher(teacher: FrozenTeacher, want: frozenset[str] = frozenset()) -> AskBatch:
    """A teacher; a cross-fitted one answers with its members' mean."""
    names = want | {"logits"}

    def ask(batch: Batch) -> dict[str, Tensor]:
        found = teacher.targets(batch.images, names, batch.hashes)
        return {name: found[name].float().cpu() for name in names}

    return ask


def mask_answers(
    ask: AskBatch, prepared: Prepared, rows: Sequence[int], seen: Preprocessing
) -> dict[str, NDArray[np.generic]]:
    """``logits`` (N, K, h, w) and true ``labels`` (N, h, w) on a coarser grid, and the features.

    Every n-th pixel of the network's own resolution, at most 64 a side: what temperature,
    calibration error and trust gate need, within memory that a thousand images allow.
    """
    pieces: dict[str, list[NDArray[np.generic]]] = {}
    for batch in mask_batches(prepared, rows, seen):
        said = dict(ask(batch))
        step = -(-said["logits"].shape[-1] // GRID)
        said["logits"] = said["logits"][..., ::step, ::step]
        said["labels"] = batch.masks_or_fail()[..., ::step, ::step]
        for name, values in said.items():
            pieces.setdefault(name, []).append(values.numpy().copy())
    return {name: np.concatenate(parts) for name, parts in pieces.items()}


def resized_mask(chances: NDArray[np.floating], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W) class indices of (K, S, S) probabilities, interpolated to ``shape``."""
    grown = functional.interpolate(
        torch.from_numpy(chances)[None].float(), size=shape, mode="bilinear", align_corners=False
    )
    classes: NDArray[np.uint8] = grown[0].argmax(dim=0).numpy().astype(np.uint8)
    return classes


def mask_scores(network: Network, prepared: Prepared, rows: Sequence[int]) -> Mapping[str, float]:
    """Scores by which a checkpoint is chosen, at the network's own resolution.

    Returns:
        ``dice``: mean over images of the mean Dice of the foreground classes that the truth or
        the network sees; ``loss``: mean cross-entropy of a pixel, in nats.
    """
    ask, dices, losses = ask_network(network), [], []
    for batch in mask_batches(prepared, rows, network.preprocessing):
        logits, masks = ask(batch)["logits"], batch.masks_or_fail()
        losses.append(pixel_cross_entropy(logits=logits, masks=masks).item() * len(batch))
        dices += [_dice(mine, truth) for mine, truth in zip(logits.argmax(1), masks, strict=True)]
    return {"dice": float(np.nanmean(dices)), "loss": sum(losses) / len(rows)}


def mask_batches(prepared: Prepared, rows: Sequence[int], seen: Preprocessing) -> Iterator[Batch]:
    """View 0 of rows with their masks, as a network sees them."""
    return plain_batches(
        prepared.store,
        torch.from_numpy(prepared.labels),
        rows,
        size=seen.size,
        batch_size=_BATCH,
        fit=seen.fit,
        masks=prepared.masks,
        memory=prepared.views,
    )


def _dice(predicted: Tensor, truth: Tensor) -> float:
    known = truth != 255
    classes = set(predicted[known].tolist()) | set(truth[known].tolist())
    each = []
    for value in classes - {0}:
        mine, their = (predicted == value) & known, truth == value
        each.append(2 * (mine & their).sum().item() / (mine.sum() + their.sum()).item())
    return sum(each) / len(each) if each else 1.0
