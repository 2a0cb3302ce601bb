"""A handmade bundle that segments: what is brighter than half is of the second class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.unit.bundle.handmade import document, write_bundle

CLASSES = ("background", "lesion")


def segmenting_bundle(folder: Path, *, size: int = 16, window: str | None = None) -> Path:
    """Logits (0, 20 x - 10) at each pixel x."""
    weights = np.array([0.0, 20.0], np.float32).reshape(2, 1, 1, 1)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, size, size])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2, size, size])
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weights", "bias"], ["logits"])],
        "pixels",
        [image],
        [logits],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([0.0, -10.0], np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    content = bytes(model.SerializeToString())
    body = document(content, task="segmentation", classes=list(CLASSES))
    seen = {"size": size, "stored_size": size, "window": window}
    body["preprocessing"] = {**body["preprocessing"], **seen}
    return write_bundle(folder, content, body)
