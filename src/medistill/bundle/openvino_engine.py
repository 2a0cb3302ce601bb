"""Runs a graph with OpenVINO, behind the same two calls as onnxruntime. Torch-free."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray


def has_openvino() -> bool:
    """Whether the extra ``openvino`` is installed."""
    return find_spec("openvino") is not None


class OpenvinoEngine:
    """A compiled OpenVINO graph.

    Sums are in float32, set explicitly: on processors with bfloat16 OpenVINO would choose that by
    itself, and the bundle would then not be what the gate saw. Quantised layers stay INT8.

    Args:
        xml: the graph.
        weights: its weights.
        threads: for one inference.
    """

    def __init__(self, xml: bytes, weights: bytes, *, threads: int) -> None:
        import openvino

        core = openvino.Core()
        model = core.read_model(io.BytesIO(xml), io.BytesIO(weights))
        self._compiled = core.compile_model(
            model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "f32",
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
            },
        )
        self._request = self._compiled.create_infer_request()

    def run(
        self, outputs: Sequence[str], inputs: Mapping[str, NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """The named outputs of a batch; not to be called from two threads at once."""
        self._request.infer(dict(inputs))
        # Copied: the next inference overwrites what the request holds.
        return [np.array(self._request.get_tensor(name).data) for name in outputs]

    def shapes(self) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
        """Shape without the batch of each input and output, by name."""
        return _shapes(self._compiled.inputs), _shapes(self._compiled.outputs)


def _shapes(ports: Sequence[Any]) -> dict[str, list[Any]]:
    return {
        name: [size.get_length() if size.is_static else None for size in port.partial_shape][1:]
        for port in ports
        for name in port.get_names()
    }
