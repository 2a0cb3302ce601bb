"""A bundle written by hand, without torch and without the code that publishes bundles.

Its graph is a linear function of the mean of each channel, so every probability can be checked
with pencil and paper.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

HASH = hashlib.sha256(b"").hexdigest()


def linear_graph(weights: ArrayLike, bias: ArrayLike, *, size: int = 4) -> bytes:
    """ONNX of logits = weights (K, C) . mean of channels (C) + bias (K)."""
    matrix, offset = np.asarray(weights, np.float32), np.asarray(bias, np.float32)
    classes, channels = matrix.shape
    image = ["batch", channels, size, size]
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["image"], ["means"]),
            helper.make_node("Flatten", ["means"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"], transB=1),
        ],
        "linear",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(matrix, "weights"), numpy_helper.from_array(offset, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def graph_for_four_images() -> bytes:
    """A graph that promises any batch size and fails inside on all but four images."""
    model = onnx.load_from_string(linear_graph([[1.0], [0.0]], [0.0, 0.0]))
    shape = numpy_helper.from_array(np.array([4, 1], np.int64), "shape")
    model.graph.initializer.append(shape)
    model.graph.node[1].CopyFrom(helper.make_node("Reshape", ["means", "shape"], ["flat"]))
    return bytes(model.SerializeToString())


def document(graph: bytes, **changes: Any) -> dict[str, Any]:
    """A bundle.json of version 4, without its identity."""
    return {
        "format": "medistill-bundle",
        "schema": 4,
        "name": "by-hand",
        "task": "single-label",
        "classes": ["ill", "well"],
        "preprocessing": {
            "size": 4,
            "mean": [0.0],
            "std": [1.0],
            "channels": "gray",
            "fit": "stretch",
            "stored_size": 8,
            "window": None,
        },
        "default": "fp32",
        "graphs": [
            {
                "name": "fp32",
                "role": "predict",
                "precision": "fp32",
                "runtime": "onnxruntime",
                "files": ["student.onnx"],
                "opset": 18,
                "input": "image",
                "outputs": {"logits": "logits"},
                "calibration": {"temperature": 1.0, "labels": []},
                "thresholds": {},
                "trial": None,
                "batch": "dynamic",
                "decisions": {"choice": None, "conformal": None, "trust": None, "refusals": {}},
                "parity": {
                    "largest_difference": 1e-7,
                    "agreement": 1.0,
                    "images": 10,
                    "bound": 1e-4,
                },
            }
        ],
        "provenance": {
            "recipe": HASH,
            "data": HASH,
            "teacher": None,
            "student": HASH,
            "versions": {"medistill": "0.1.0"},
            "created": "2025-01-01T00:00:00+00:00",
        },
        "refused": {},
        "parameters": 4,
        "multiply_adds": 20,
        "acquisition": {"modalities": [], "body_parts": []},
        "caveats": [],
        "findings": [],
        "files": {
            "student.onnx": {"sha256": hashlib.sha256(graph).hexdigest(), "size": len(graph)}
        },
        **changes,
    }


def write_bundle(folder: Path, graph: bytes, body: dict[str, Any]) -> Path:
    """Write a graph and a sealed bundle.json, whatever the body says."""
    folder.mkdir(parents=True)
    (folder / "student.onnx").write_bytes(graph)
    packed = json.dumps(body, sort_keys=True, separators=(",", ":"))
    sealed = {**body, "identity": hashlib.sha256(packed.encode()).hexdigest()}
    (folder / "bundle.json").write_text(json.dumps(sealed), encoding="utf-8")
    return folder


def gray_bundle(folder: Path, **changes: Any) -> Path:
    """Gray; logits (4 m, -4 m) of the mean m, so p(ill) = 1 / (1 + exp(-8 m))."""
    graph = linear_graph([[4.0], [-4.0]], [0.0, 0.0])
    return write_bundle(folder, graph, document(graph, **changes))


def with_graph(**changes: Any) -> dict[str, Any]:
    """Changes for ``document`` that alter its one graph."""
    (graph,) = document(b"")["graphs"]
    return {"graphs": [{**graph, **changes}]}
