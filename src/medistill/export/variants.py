"""Smaller and faster variants of an exported graph: fp16, INT8, and OpenVINO's own."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from medistill.bundle.engine import Runtime
from medistill.bundle.openvino_engine import has_openvino
from medistill.export.onnx_graph import INPUT

Images = NDArray[np.float32]
_BATCH = 8
# Layers whose sums dominate; the rest, such as softmax and norms, stays in float.
_OPERATORS = ["Conv", "Gemm", "MatMul"]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A graph that was made from the float32 one.

    Attributes:
        name: unique in the bundle.
        precision: of its weights and sums.
        runtime: the engine that runs it.
        files: names in the folder; the first is the one to open.
        opset: of ONNX; None for another format.
    """

    name: str
    precision: Literal["fp32", "fp16", "int8"]
    runtime: Runtime
    files: tuple[str, ...]
    opset: int | None


Make = Callable[[Path, Path, Images], Variant]


def make_fp16(graph: Path, folder: Path, images: Images) -> Variant:
    """Half precision inside, float32 at both ends; half the size, and rarely faster on a CPU."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(onnx.load(graph), keep_io_types=True)
    path = folder / "student-fp16.onnx"
    onnx.save(model, path)
    return Variant(
        name="fp16",
        precision="fp16",
        runtime="onnxruntime",
        files=(path.name,),
        opset=_opset(path),
    )


def make_int8(graph: Path, folder: Path, images: Images) -> Variant:
    """Static INT8 of onnxruntime: quantise and dequantise nodes, weights by channel.

    Weights take 7 of their 8 bits: without VNNI instructions two products of 8 bits are added in
    16, which would saturate (onnxruntime's documentation on quantisation, "reduce_range").
    """
    path = folder / "student-int8.onnx"
    with tempfile.TemporaryDirectory() as place:
        prepared = Path(place) / "prepared.onnx"
        quant_pre_process(graph, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            path,
            _Reader(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=_OPERATORS,
        )
    return Variant(
        name="int8",
        precision="int8",
        runtime="onnxruntime",
        files=(path.name,),
        opset=_opset(path),
    )


def make_openvino_fp32(graph: Path, folder: Path, images: Images) -> Variant:
    """The same sums in OpenVINO, whose kernels are often faster."""
    import openvino

    model = openvino.Core().read_model(graph)
    return _saved_openvino(model, folder, "openvino-fp32", "fp32")


def make_openvino_int8(graph: Path, folder: Path, images: Images) -> Variant:
    """INT8 by NNCF with its settings for Transformers (SmoothQuant, mixed preset)."""
    os.environ.setdefault("NNCF_CI", "1")  # NNCF reports nothing to anybody
    import nncf
    import openvino

    nncf.set_log_level(logging.ERROR)
    model = nncf.quantize(
        openvino.Core().read_model(graph),
        nncf.Dataset([images[row : row + 1] for row in range(len(images))]),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(images),
    )
    return _saved_openvino(model, folder, "openvino-int8", "int8")


def makers() -> Mapping[str, Make]:
    """Makers of every variant that can be made here, by its name."""
    found: dict[str, Make] = {"fp16": make_fp16, "int8": make_int8}
    if has_openvino():
        found["openvino-fp32"] = make_openvino_fp32
        if find_spec("nncf") is not None:
            found["openvino-int8"] = make_openvino_int8
    return MappingProxyType(found)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the quantisers' bars, warnings and log lines off the console."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    """Gives the calibration images batch by batch."""

    def __init__(self, images: Images) -> None:
        starts = range(0, len(images), _BATCH)
        self._batches = iter([{INPUT: images[start : start + _BATCH]} for start in starts])

    def get_next(self) -> dict[str, Images] | None:
        return next(self._batches, None)


def _saved_openvino(
    model: Any, folder: Path, name: str, precision: Literal["fp32", "int8"]
) -> Variant:
    import openvino

    path = folder / f"student-{name}.xml"
    # What NNCF notes about its own run is no part of the graph, and may name files.
    for note in ("nncf", "conversion_parameters", "optimization"):
        if model.has_rt_info([note]):
            model.set_rt_info("", [note])
    openvino.save_model(model, path, compress_to_fp16=False)
    files = (path.name, path.with_suffix(".bin").name)
    return Variant(name=name, precision=precision, runtime="openvino", files=files, opset=None)


def _opset(path: Path) -> int:
    model = onnx.load(path, load_external_data=False)
    found = (item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    return int(max(found))
