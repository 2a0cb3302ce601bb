"""Runs a bundle's graph with onnxruntime, with every setting that matters made explicit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from medistill.bundle.bundle import Bundle
from medistill.bundle.schema import Graph
from medistill.core.errors import BundleError

_CURE = "Export the bundle again."


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class GraphSession:
    """A graph that is ready to run.

    Attributes:
        graph: what the bundle says of it.
        session: the onnxruntime session.
        where: the bundle, for messages.
    """

    graph: Graph
    session: Any
    where: str

    def run(self, images: NDArray[np.float32], output: str) -> NDArray[np.float32]:
        """One output for a batch.

        Args:
            images: (N, C, S, S) float32 in [0, 1].
            output: name of a graph output.

        Raises:
            BundleError: the graph fails.
        """
        return self.run_many(images, [output])[0]

    def run_many(
        self, images: NDArray[np.float32], outputs: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        """Several outputs for a batch, as :meth:`run` gives one."""
        try:
            values: list[NDArray[np.float32]] = self.session.run(
                list(outputs), {self.graph.input: images}
            )
        except Exception as error:  # onnxruntime's errors share no base class
            raise _broken(self.where, self.graph, _first_line(error)) from error
        return values


def open_session(
    bundle: Bundle, *, graph: str | None = None, threads: int | None = None
) -> GraphSession:
    """Load a graph of a bundle and hold its signature against the manifest.

    Args:
        bundle: an opened bundle.
        graph: name of the graph; None for the default one.
        threads: for one operator; None for all cores that this process may use.

    Raises:
        BundleError: the graph is broken, of another runtime, or not what the manifest says.
    """
    chosen = bundle.graph(graph)
    if chosen.runtime != "onnxruntime":
        raise _broken(str(bundle.path), chosen, f"it needs {chosen.runtime}")
    try:
        session = onnxruntime.InferenceSession(
            bundle.read(chosen.files[0]),
            _options(threads or available_cores()),
            providers=["CPUExecutionProvider"],
        )
    except BundleError:
        raise
    except Exception as error:  # onnxruntime's errors share no base class
        raise _broken(str(bundle.path), chosen, _first_line(error)) from error
    _check_signature(bundle, chosen, session)
    return GraphSession(chosen, session, str(bundle.path))


def _options(threads: int) -> Any:
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Spinning threads halve the speed of a machine that is busy otherwise.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The arena keeps the memory of the largest batch for ever and gains nothing measurable.
    options.enable_cpu_mem_arena = False
    # Failures become our own errors; onnxruntime shall not print them as well.
    options.log_severity_level = 4
    return options


def _check_signature(bundle: Bundle, graph: Graph, session: Any) -> None:
    seen = bundle.manifest.preprocessing
    shapes = {item.name: list(item.shape)[1:] for item in session.get_inputs()}
    expected = {graph.input: [seen.image_channels, seen.size, seen.size]}
    if shapes != expected:
        raise _broken(str(bundle.path), graph, f"its inputs are {shapes}, not {expected}")
    outputs = {item.name: list(item.shape)[1:] for item in session.get_outputs()}
    if missing := sorted(set(graph.outputs) - set(outputs)):
        raise _broken(str(bundle.path), graph, f"it has no output '{missing[0]}'")
    logits = next(name for name, held in graph.outputs.items() if held == "logits")
    masks = bundle.manifest.task == "segmentation"
    shape = outputs[logits][:1] if masks and len(outputs[logits]) == 3 else outputs[logits]
    if shape != [len(bundle.manifest.classes)]:
        reason = f"its logits are {outputs[logits]} for {len(bundle.manifest.classes)} classes"
        raise _broken(str(bundle.path), graph, reason)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _broken(where: str, graph: Graph, reason: str) -> BundleError:
    return BundleError(
        where=where, what=f"the graph '{graph.name}' cannot run ({reason})", cure=_CURE
    )
