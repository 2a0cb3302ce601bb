"""Times networks as they would be shipped: each an ONNX graph, in one runtime, in turns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from medistill.bundle.engine import open_engine
from medistill.core.errors import ExportError
from medistill.core.timing import percentile, times_in_turns
from medistill.core.types import Task
from medistill.export.onnx_graph import INPUT, LOGITS, export_onnx, portable_copy
from medistill.export.parity import check_parity
from medistill.models.network import Network

# A large teacher's float32 sums differ by more than a small student's; a wrong graph by far more.
_BOUND = 1e-3
_IMAGES = 2
Calls = Mapping[str, Callable[[], object]]
NO_FURTHER: Mapping[str, Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Latencies:
    """What one image costs each network.

    Attributes:
        milliseconds: median time of one image by name of the network.
        graph_bytes: length of the ONNX file by name; empty where graphs could not be made.
        runtime: that all of them ran in.
        problem: why that is not onnxruntime; None if it is.
    """

    milliseconds: Mapping[str, float]
    graph_bytes: Mapping[str, int] = field(default_factory=dict)
    runtime: str = "onnxruntime"
    problem: str | None = None


def latencies(
    networks: Mapping[str, Network],
    *,
    task: Task = "single-label",
    threads: int = 1,
    runs: int = 20,
    opset: int = 18,
    outputs: Mapping[str, Mapping[str, str]] = NO_FURTHER,
) -> Latencies:
    """Median time of one image through each network on the processor, measured in turns.

    Every network is exported, its graph is held against it on random images, and all graphs run
    in onnxruntime with as many threads. If one of them cannot be exported, all run in eager
    PyTorch: times of two runtimes cannot be compared.

    Args:
        networks: by name; they are left as they are.
        task: how logits become probabilities.
        threads: for one operator, at least 1.
        runs: timed runs of each, at least 1.
        opset: ONNX operator set.
        outputs: by name of a network the further outputs of its graph, as they would be shipped:
            output name -> feature. Only the logits are asked for.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            graphs = {
                name: _graph(
                    network, Path(folder) / f"{number}.onnx", task, opset, outputs.get(name, {})
                )
                for number, (name, network) in enumerate(networks.items())
            }
        except ExportError as error:
            return Latencies(
                milliseconds=_in_pytorch(networks, threads, runs),
                runtime="eager PyTorch",
                problem=error.what,
            )
    calls = {name: _call(graphs[name], network, threads) for name, network in networks.items()}
    sizes = {name: len(graph) for name, graph in graphs.items()}
    return Latencies(milliseconds=_medians(calls, runs), graph_bytes=sizes)


def _graph(
    network: Network, path: Path, task: Task, opset: int, outputs: Mapping[str, str]
) -> bytes:
    export_onnx(network, path, opset=opset, outputs=outputs)
    random = np.random.Generator(np.random.Philox(key=0))
    images = random.random((_IMAGES, *network.input_shape), dtype=np.float32)
    check_parity(network, path, images, bound=_BOUND, task=task)
    return path.read_bytes()


def _call(graph: bytes, network: Network, threads: int) -> Callable[[], object]:
    engine = open_engine([graph], runtime="onnxruntime", threads=threads)
    image = np.zeros((1, *network.input_shape), np.float32)
    return partial(engine.run, [LOGITS], {INPUT: image})


def _in_pytorch(networks: Mapping[str, Network], threads: int, runs: int) -> Mapping[str, float]:
    with torch.inference_mode(), _threads(threads):
        calls = {
            name: partial(portable_copy(network), torch.zeros((1, *network.input_shape)))
            for name, network in networks.items()
        }
        return _medians(calls, runs)


def _medians(calls: Calls, runs: int) -> Mapping[str, float]:
    taken = times_in_turns(list(calls.values()), runs=runs)
    return {
        name: 1e3 * percentile(seconds, 0.5) for name, seconds in zip(calls, taken, strict=True)
    }


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
