"""Probabilities of a network or a teacher for rows of the store, without augmentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from medistill.bundle.calibration import probabilities
from medistill.data.batch import Batch
from medistill.data.loader import plain_batches
from medistill.models.network import Network
from medistill.stages.data import Prepared
from medistill.teacher.frozen import FrozenTeacher

BATCH = 64


def predict_rows(network: Network, prepared: Prepared, rows: Sequence[int]) -> NDArray[np.float64]:
    """Class probabilities, shape (len(rows), C), of view 0; the network keeps its mode."""
    answers = answer_rows(network, prepared, rows, frozenset())
    return probabilities(answers["logits"], task=prepared.images.task)


def answer_rows(
    network: Network, prepared: Prepared, rows: Sequence[int], want: frozenset[str]
) -> dict[str, NDArray[np.float64]]:
    """``logits`` and the wanted features of view 0, in float64; the network keeps its mode."""
    return answer_batches(
        network, (batch.images for batch in _batches(prepared, rows, network)), want
    )


def answer_batches(
    network: Network, batches: Iterable[torch.Tensor], want: frozenset[str]
) -> dict[str, NDArray[np.float64]]:
    """``logits`` and the wanted features of batches of images, (B, C, S, S) in [0, 1]."""
    was_training = network.training
    device = next(network.parameters()).device
    network.eval()
    with torch.inference_mode():
        outputs = [network(images.to(device), want) for images in batches]
    network.train(was_training)
    named = [{**each.features, "logits": each.logits} for each in outputs]
    return _joined(named, want | {"logits"})


def answer_teacher(
    teacher: FrozenTeacher, prepared: Prepared, rows: Sequence[int], want: frozenset[str]
) -> dict[str, NDArray[np.float64]]:
    """``logits`` and the wanted features; a cross-fitted teacher answers with its members' mean."""
    names = want | {"logits"}
    batches = _batches(prepared, rows, teacher.members[0])
    return _joined([teacher.targets(b.images, names, b.hashes) for b in batches], names)


def predict_teacher(
    teacher: FrozenTeacher, prepared: Prepared, rows: Sequence[int]
) -> NDArray[np.float64]:
    """Class probabilities of the teacher."""
    answers = answer_teacher(teacher, prepared, rows, frozenset())
    return probabilities(answers["logits"], task=prepared.images.task)


def _joined(
    batches: Sequence[Mapping[str, torch.Tensor]], names: frozenset[str]
) -> dict[str, NDArray[np.float64]]:
    return {
        name: torch.cat([batch[name].float().cpu() for batch in batches]).double().numpy()
        for name in names
    }


def _batches(prepared: Prepared, rows: Sequence[int], network: Network) -> Iterator[Batch]:
    return plain_batches(
        prepared.store,
        torch.from_numpy(prepared.labels),
        rows,
        size=network.preprocessing.size,
        batch_size=BATCH,
        fit=network.preprocessing.fit,
        memory=prepared.views,
    )
