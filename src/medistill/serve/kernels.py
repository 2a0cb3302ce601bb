"""Which kernels a graph runs, as its own runtime tells. Torch-free."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from medistill.bundle.bundle import Bundle
from medistill.bundle.openvino_engine import OpenvinoEngine
from medistill.bundle.schema import Graph

_RUNS, _SHOWN = 3, 8


def kernel_shares(
    bundle: Bundle, graph: Graph, *, threads: int, shape: tuple[int, ...]
) -> dict[str, float]:
    """Share of the time, in [0, 1], of the kinds of kernel that took most of it.

    onnxruntime names operators; OpenVINO the implementation with its instruction set and number
    format, such as ``brgemm_avx512_vnni_I8``.

    Args:
        bundle: an opened bundle.
        graph: one of its graphs.
        threads: for one operator.
        shape: (C, S, S) of an image.
    """
    image = np.zeros((1, *shape), np.float32)
    tell = _openvino if graph.runtime == "openvino" else _onnxruntime
    spent = tell(bundle, graph, threads, image)
    whole = sum(spent.values())
    return {kind: round(time / whole, 4) for kind, time in spent.most_common(_SHOWN) if whole}


def _onnxruntime(bundle: Bundle, graph: Graph, threads: int, image: np.ndarray) -> Counter[str]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 4
    with tempfile.TemporaryDirectory() as folder:
        options.enable_profiling, options.profile_file_prefix = True, str(Path(folder) / "p")
        session = onnxruntime.InferenceSession(
            bundle.read(graph.files[0]), options, providers=["CPUExecutionProvider"]
        )
        for _ in range(_RUNS):
            session.run(None, {graph.input: image})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    spent: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"]
    return spent


def _openvino(bundle: Bundle, graph: Graph, threads: int, image: np.ndarray) -> Counter[str]:
    xml, weights = (bundle.read(name) for name in graph.files)
    bf16 = graph.precision.endswith("bf16")
    engine = OpenvinoEngine(xml, weights, threads=threads, bf16=bf16, profile=True)
    spent: Counter[str] = Counter()
    for _ in range(_RUNS):
        engine.run([], {graph.input: image})
        for kind, microseconds in engine.profile():
            spent[kind] += round(microseconds)
    return spent
