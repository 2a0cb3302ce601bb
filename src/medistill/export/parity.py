"""Holds an exported graph against the network it was made from, on real images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from medistill.bundle.calibration import decide, probabilities
from medistill.bundle.schema import Parity
from medistill.core.errors import ExportError
from medistill.core.types import Task
from medistill.export.onnx_graph import INPUT, LOGITS, portable_copy
from medistill.models.network import Network

#: Largest difference of any probability at which a float32 graph counts as the same network.
BOUND = 1e-4
Images = NDArray[np.float32]
Logits = NDArray[np.float64]


def check_parity(
    network: Network,
    graph: Path,
    images: Images,
    *,
    bound: float = BOUND,
    task: Task = "single-label",
    batch_size: int = 32,
) -> Parity:
    """Compare probabilities of network and graph.

    The graph also sees the first image alone, so that a graph that mixes the images of a batch,
    or was fixed to one batch size, is found.

    Args:
        network: the network that was exported.
        graph: the ONNX file.
        images: (N, C, S, S) float32 in [0, 1], real ones of the part *calibrate*; anything that
            slices like an array will do.
        bound: largest difference allowed.
        task: how logits become probabilities.
        batch_size: images at a time.

    Raises:
        ExportError: no images, a graph that does not run, a number that is not finite, or a
            difference beyond the bound.
    """
    if len(images) == 0:
        raise _failure("there is no image to check the graph with", "Give calibration images.")
    batches = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    expected = np.concatenate(list(_network_logits(network, batches)))
    found = np.concatenate(list(_graph_logits(graph, [*batches, images[:1]])))
    if found.shape != (len(images) + 1, *expected.shape[1:]):
        raise _failure(f"the graph gives logits of shape {found.shape[1:]}", _REPORT)
    parity = _compare(np.concatenate([expected, expected[:1]]), found, task, bound, len(images))
    if not parity.largest_difference <= bound:
        raise _failure(f"the graph differs from the network: {parity}", _REPORT)
    return parity


_REPORT = "Nothing was published. Export again; if it stays, choose another student."


def _network_logits(network: Network, batches: list[Images]) -> Iterator[Logits]:
    module = portable_copy(network)
    with torch.inference_mode():
        for batch in batches:
            yield module(torch.from_numpy(np.ascontiguousarray(batch))).logits.double().numpy()


def _graph_logits(graph: Path, batches: list[Images]) -> Iterator[Logits]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        for batch in batches:
            yield session.run([LOGITS], {INPUT: batch})[0].astype(np.float64)
    except Exception as error:  # onnxruntime's errors share no base class
        raise _failure(f"the graph does not run ({_first_line(error)})", _REPORT) from error


def _compare(expected: Logits, found: Logits, task: Task, bound: float, images: int) -> Parity:
    if not (np.isfinite(expected).all() and np.isfinite(found).all()):
        raise _failure("a logit is not a finite number", "Train the student again.")
    pairs = [probabilities(logits, task=task) for logits in (expected, found)]
    classes = [str(index) for index in range(expected.shape[1])]
    labels = [decide(chances, task=task, classes=classes, thresholds={}) for chances in pairs]
    return Parity(
        largest_difference=float(np.abs(pairs[0] - pairs[1]).max()),
        agreement=float((labels[0] == labels[1]).all(axis=1)[:images].mean()),
        images=images,
        bound=bound,
    )


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _failure(what: str, cure: str) -> ExportError:
    return ExportError(where="export", what=what, cure=cure)
