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
    """An OpenVINO graph, compiled for one image and for batches of any size.

    The precision of sums is set explicitly: on processors with bfloat16 OpenVINO would choose that
    by itself, and the bundle would then not be what the gate saw. Quantised layers stay INT8.

    A graph whose shapes are all known runs a single image up to twice as fast, so there are two
    compiled graphs; each is compiled when it is first needed, and they share the weights.

    Args:
        xml: the graph.
        weights: its weights.
        threads: for one inference.
        bf16: sums in bfloat16 instead of float32.
        profile: keep the time of every node, which costs some.
    """

    def __init__(
        self, xml: bytes, weights: bytes, *, threads: int, bf16: bool = False, profile: bool = False
    ) -> None:
        import openvino

        self._core = openvino.Core()
        self._model = self._core.read_model(io.BytesIO(xml), io.BytesIO(weights))
        self._settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERF_COUNT": profile,
        }
        self._requests: dict[bool, Any] = {}

    def run(
        self, outputs: Sequence[str], inputs: Mapping[str, NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """The named outputs of a batch; not to be called from two threads at once."""
        request = self._request(all(len(value) == 1 for value in inputs.values()))
        # Inputs are read where they lie, which saves a tenth of a small network's time; outputs are
        # copied once, below: the next inference overwrites what the request holds.
        request.infer(dict(inputs), share_inputs=True, share_outputs=True)
        return [np.array(request.get_tensor(name).data) for name in outputs]

    def shapes(self) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
        """Shape without the batch of each input and output, by name."""
        return _shapes(self._model.inputs), _shapes(self._model.outputs)

    def compiled(self, *, single: bool) -> Any:
        """OpenVINO's own object: for one image, or for any number."""
        return self._request(single).get_compiled_model()

    def profile(self) -> list[tuple[str, float]]:
        """Kernel and microseconds of every node that the last single image ran."""
        return [
            (node.exec_type, node.real_time.total_seconds() * 1e6)
            for node in self._request(single=True).get_profiling_info()
            if node.status == node.status.EXECUTED
        ]

    def _request(self, single: bool) -> Any:
        if single not in self._requests:
            model = self._model.clone() if single else self._model
            if single:
                model.reshape({port: [1, *list(port.partial_shape)[1:]] for port in model.inputs})
            compiled = self._core.compile_model(model, "CPU", self._settings)
            self._requests[single] = compiled.create_infer_request()
        return self._requests[single]


def _shapes(ports: Sequence[Any]) -> dict[str, list[Any]]:
    return {
        name: [size.get_length() if size.is_static else None for size in port.partial_shape][1:]
        for port in ports
        for name in port.get_names()
    }
