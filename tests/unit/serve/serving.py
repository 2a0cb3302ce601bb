"""A handmade bundle that explains, and a real server process for it."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tests.unit.bundle.handmade import document, write_bundle

SRC = Path(__file__).parents[3] / "src"


def maps_graph() -> bytes:
    """maps = (4 x, -4 x) of the pixel x, logits = their means; as ``gray_bundle``'s."""
    weights = np.array([4.0, -4.0], np.float32).reshape(2, 1, 1, 1)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 4, 4])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])
    maps = helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["batch", 2, 4, 4])
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "weights"], ["maps"]),
            helper.make_node("GlobalAveragePool", ["maps"], ["means"]),
            helper.make_node("Flatten", ["means"], ["logits"]),
        ],
        "maps",
        [image],
        [logits, maps],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


def explaining_bundle(folder: Path, **changes: Any) -> Path:
    """p(ill) = 1 / (1 + exp(-8 m)) of the mean m; both graphs are one file."""
    graph = maps_graph()
    body = document(graph, **changes)
    (plain,) = body["graphs"]
    held = {"logits": "logits", "maps": "class-activation"}
    body["graphs"] = [plain, {**plain, "name": "explain", "role": "explain", "outputs": held}]
    return write_bundle(folder, graph, body)


def png(value: int = 51, size: tuple[int, int] = (8, 8)) -> bytes:
    """A plain gray picture; 51 is 0.2."""
    stream = io.BytesIO()
    Image.new("L", size, value).save(stream, "PNG")
    return stream.getvalue()


def resident_kib(pid: int) -> int:
    """Memory of a process that lies in RAM, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


@contextmanager
def running(bundle: Path, *arguments: object) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Address and process of ``medistill serve``; it is stopped at the end."""
    command = [sys.executable, "-m", "medistill", "serve", str(bundle), "--port", "0"]
    process = subprocess.Popen(
        [*command, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + process.stderr.read()
        yield found.group(), process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(20)
        process.stderr.close()
