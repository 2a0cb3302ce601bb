"""Opens a graph with its runtime; every setting that matters is explicit. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from medistill.bundle.openvino_engine import OpenvinoEngine, has_openvino
from medistill.core.errors import MissingExtraError
from medistill.core.runtime import has_fast_bf16

Runtime = Literal["onnxruntime", "openvino"]
#: ``int8-bf16``: quantised layers in INT8, the others in bfloat16.
Precision = Literal["fp32", "fp16", "bf16", "int8", "int8-bf16"]
Shapes = dict[str, list[Any]]


class Engine(Protocol):
    """A graph that is ready to run."""

    def run(
        self, outputs: Sequence[str], inputs: Mapping[str, NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """The named outputs of a batch."""

    def shapes(self) -> tuple[Shapes, Shapes]:
        """Shape without the batch of each input and output, by name."""


class OnnxEngine:
    """A graph in onnxruntime.

    Args:
        content: the ONNX file.
        threads: for one operator.
    """

    def __init__(self, content: bytes, *, threads: int) -> None:
        self._session = onnxruntime.InferenceSession(
            content, _options(threads), providers=["CPUExecutionProvider"]
        )

    def run(
        self, outputs: Sequence[str], inputs: Mapping[str, NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """The named outputs of a batch."""
        values: list[NDArray[np.float32]] = self._session.run(list(outputs), dict(inputs))
        return values

    def shapes(self) -> tuple[Shapes, Shapes]:
        """Shape without the batch of each input and output, by name."""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        return (
            {item.name: list(item.shape)[1:] for item in inputs},
            {item.name: list(item.shape)[1:] for item in outputs},
        )


def installed(runtime: Runtime) -> bool:
    """Whether a runtime can be had here."""
    return runtime == "onnxruntime" or has_openvino()


def runs_here(runtime: Runtime, precision: Precision) -> bool:
    """Whether a graph can run here as it was judged: bfloat16 needs a processor that knows it."""
    return installed(runtime) and (not precision.endswith("bf16") or has_fast_bf16())


def open_engine(
    content: Sequence[bytes], *, runtime: Runtime, threads: int, precision: Precision = "fp32"
) -> Engine:
    """Load a graph.

    Args:
        content: of its files, in the order of ``Graph.files``.
        runtime: that runs it.
        threads: for one operator, at least 1.
        precision: of the sums, where the runtime has a choice.

    Raises:
        MissingExtraError: the runtime is not installed.
        Exception: what the runtime raises over a broken graph; they share no base class.
    """
    if not installed(runtime):
        raise MissingExtraError(command="this graph", extra=runtime)
    if runtime == "openvino":
        bf16 = precision.endswith("bf16")
        return OpenvinoEngine(content[0], content[1], threads=threads, bf16=bf16)
    return OnnxEngine(content[0], threads=threads)


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
