"""What the export gate judges faster variants of a student with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medistill.data.batch import Batch
from medistill.data.loader import plain_batches
from medistill.export.candidates import Gate
from medistill.export.examples import Examples, Images, Run
from medistill.export.gate import Bounds
from medistill.imaging.preprocessing import Preprocessing
from medistill.models.network import Network
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.decisions import Ask, fit_model, labels_of
from medistill.stages.mask_prediction import AskBatch, mask_answers, mask_batches
from medistill.stages.metric_change import metric_change

# Ranges settle long before, and agreement to one in a hundred needs some hundred images, or as many
# masks' pixels; memory must not grow with the set.
_QUANTISE, _CONTROL, _JUDGE, _JUDGE_MASKS = 256, 256, 1024, 256
_BATCH = 64


def make_gate(context: Context, prepared: Prepared, network: Network, fold: int) -> Gate | None:
    """The gate of one fold's student; None where the recipe asks for float32 alone."""
    block = context.recipe.export
    if not block.variants:
        return None
    parts, images = prepared.parts[fold], prepared.images
    rows = judged_rows(prepared, fold)
    truth = _labels(prepared, network, rows)
    examples = Examples(
        task=images.task,
        classes=images.classes,
        images=rendered(prepared, network, rows),
        labels=truth,
        quantise=rendered(prepared, network, spread(parts.fit, _QUANTISE)),
        control=rendered(prepared, network, spread(parts.select, _CONTROL)),
        decide=lambda run: fit_model(
            context, prepared, fold, run_asker(run, prepared, network.preprocessing)
        ),
        compare=lambda first, second: metric_change(prepared, rows, truth, first, second),
    )
    bounds = Bounds(
        agreement=block.agreement, sensitivity=block.sensitivity_loss, metric=block.metric_loss
    )
    return Gate(examples=examples, bounds=bounds, say=context.reporter.say)


def judged_rows(prepared: Prepared, fold: int) -> tuple[int, ...]:
    """The rows of *calibrate* that variants are judged on."""
    most = _JUDGE if prepared.masks is None else _JUDGE_MASKS
    return spread(prepared.parts[fold].calibrate, most)


def spread(rows: Sequence[int], most: int) -> tuple[int, ...]:
    """At most so many rows, evenly spread, so that no class or group is favoured by its place."""
    if len(rows) <= most:
        return tuple(rows)
    places = np.linspace(0, len(rows) - 1, most).round().astype(int)
    return tuple(rows[place] for place in places)


def rendered(prepared: Prepared, network: Network, rows: Sequence[int]) -> Images:
    """View 0 of rows as the network sees it, (N, C, S, S) in [0, 1]."""
    return np.concatenate(list(_batches(prepared, network.preprocessing, rows)))


def run_asker(run: Run, prepared: Prepared, seen: Preprocessing) -> Ask:
    """Asks a graph about rows, batch by batch; of masks on a coarser grid, with the truth."""
    if prepared.masks is not None:
        ask_batch = run_on_batches(run)
        return lambda rows: mask_answers(ask_batch, prepared, rows, seen)

    def ask(rows: Sequence[int]) -> Mapping[str, NDArray[np.float64]]:
        said = [run(batch) for batch in _batches(prepared, seen, rows)]
        return {name: np.concatenate([each[name] for each in said]) for name in said[0]}

    return ask


def run_on_batches(run: Run) -> AskBatch:
    """A graph as what answers to batches."""

    def ask(batch: Batch) -> dict[str, Tensor]:
        return {name: torch.from_numpy(said) for name, said in run(batch.images.numpy()).items()}

    return ask


def _labels(prepared: Prepared, network: Network, rows: Sequence[int]) -> NDArray[np.generic]:
    """True classes of rows; of masks at the network's own size."""
    if prepared.masks is None:
        return labels_of(prepared.images, prepared.labels[list(rows)])
    batches = mask_batches(prepared, rows, network.preprocessing)
    return np.concatenate([batch.masks_or_fail().numpy() for batch in batches])


def _batches(prepared: Prepared, seen: Preprocessing, rows: Sequence[int]) -> Iterator[Images]:
    labels = torch.from_numpy(prepared.labels)
    for batch in plain_batches(
        prepared.store, labels, rows, size=seen.size, batch_size=_BATCH, fit=seen.fit
    ):
        yield batch.images.numpy()
