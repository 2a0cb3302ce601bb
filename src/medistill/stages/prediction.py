"""Probabilities of a network or a teacher for rows of the store, without augmentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from medistill.core.types import Task
from medistill.data.batch import Batch
from medistill.data.loader import plain_batches
from medistill.models.network import Network
from medistill.stages.data import Prepared
from medistill.teacher.frozen import FrozenTeacher

BATCH = 64


def predict_rows(network: Network, prepared: Prepared, rows: Sequence[int]) -> NDArray[np.float64]:
    """Class probabilities, shape (len(rows), C), of view 0; the network keeps its mode."""
    was_training = network.training
    device = next(network.parameters()).device
    network.eval()
    with torch.inference_mode():
        logits = [
            network(batch.images.to(device)).logits.float().cpu()
            for batch in _batches(prepared, rows, network)
        ]
    network.train(was_training)
    return _probabilities(torch.cat(logits), prepared.images.task)


def predict_teacher(
    teacher: FrozenTeacher, prepared: Prepared, rows: Sequence[int]
) -> NDArray[np.float64]:
    """Class probabilities of the teacher; a cross-fitted one answers with its members' mean."""
    names = frozenset({"logits"})
    logits = [
        teacher.targets(batch.images, names, batch.hashes)["logits"].float().cpu()
        for batch in _batches(prepared, rows, teacher.members[0])
    ]
    return _probabilities(torch.cat(logits), prepared.images.task)


def _batches(prepared: Prepared, rows: Sequence[int], network: Network) -> Iterator[Batch]:
    return plain_batches(
        prepared.store,
        torch.from_numpy(prepared.labels),
        rows,
        size=network.preprocessing.size,
        batch_size=BATCH,
        fit=network.preprocessing.fit,
    )


def _probabilities(logits: torch.Tensor, task: Task) -> NDArray[np.float64]:
    scores = logits.double()
    chances = scores.sigmoid() if task == "multi-label" else scores.softmax(dim=1)
    probabilities: NDArray[np.float64] = chances.numpy()
    return probabilities
