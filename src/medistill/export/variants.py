"""Smaller and faster variants of an exported graph: fp16, bf16, INT8, and OpenVINO's own."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from medistill.bundle.engine import Precision, Runtime
from medistill.bundle.openvino_engine import has_openvino
from medistill.core.runtime import has_fast_bf16
from medistill.core.types import Task
from medistill.export.onnx_graph import INPUT
from medistill.export.quantising import quantise_apart

Images = NDArray[np.float32]
_BATCH = 8
# Layers whose sums dominate; the rest, such as softmax and norms, stays in float.
_OPERATORS = ["Conv", "Gemm", "MatMul"]
_FLOAT_IR, _INT8_IR = "student-openvino", "student-openvino-int8"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A graph that was made from the float32 one.

    Attributes:
        name: unique in the bundle.
        precision: of its weights and sums.
        runtime: the engine that runs it.
        files: names in the folder, which variants may share; the first is the one to open.
        opset: of ONNX; None for another format.
    """

    name: str
    precision: Precision
    runtime: Runtime
    files: tuple[str, ...]
    opset: int | None


@dataclass(frozen=True, kw_only=True)
class Material:
    """What variants are made with; nothing of it is judged with.

    Attributes:
        task: what the labels are.
        ranges: (M, C, S, S) in [0, 1] of the part *fit*: where INT8 takes its ranges from.
        control: (N, C, S, S) of the part *select*: by these NNCF searches what must stay float32.
        agreement: share of equal labels that is aimed at.
    """

    task: Task
    ranges: Images
    control: Images
    agreement: float


Make = Callable[[Path, Path, Material], tuple[Variant, ...]]


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Makes one file and the variants that it serves.

    Attributes:
        names: of the variants.
        make: graph, folder and material in; the variants out, in the order of the names.
    """

    names: tuple[str, ...]
    make: Make


def make_fp16(graph: Path, folder: Path, material: Material) -> tuple[Variant, ...]:
    """Half precision inside, float32 at both ends; half the size, and rarely faster on a CPU."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(onnx.load(graph), keep_io_types=True)
    path = folder / "student-fp16.onnx"
    onnx.save(model, path)
    return (_onnx_variant(path, "fp16", "fp16"),)


def make_int8(graph: Path, folder: Path, material: Material) -> tuple[Variant, ...]:
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
            _Reader(material.ranges),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=_OPERATORS,
        )
    return (_onnx_variant(path, "int8", "int8"),)


def make_openvino(graph: Path, folder: Path, material: Material) -> tuple[Variant, ...]:
    """The same sums in OpenVINO, whose kernels are often faster; and in bfloat16, where it is."""
    import openvino

    path = folder / f"{_FLOAT_IR}.xml"
    openvino.save_model(openvino.Core().read_model(graph), path, compress_to_fp16=False)
    return _openvino_variants(_FLOAT_IR, {"openvino-fp32": "fp32", "openvino-bf16": "bf16"})


def make_openvino_int8(graph: Path, folder: Path, material: Material) -> tuple[Variant, ...]:
    """INT8 by NNCF with its settings for Transformers, under accuracy control."""
    quantise_apart(
        graph,
        folder / f"{_INT8_IR}.xml",
        task=material.task,
        ranges=material.ranges,
        control=material.control,
        agreement=material.agreement,
    )
    return _openvino_variants(
        _INT8_IR, {"openvino-int8": "int8", "openvino-int8-bf16": "int8-bf16"}
    )


def makers() -> tuple[Maker, ...]:
    """Makers of every variant that can be made and run here."""
    found = [Maker(names=("fp16",), make=make_fp16), Maker(names=("int8",), make=make_int8)]
    if has_openvino():
        found.append(Maker(names=_able("openvino-fp32", "openvino-bf16"), make=make_openvino))
        if find_spec("nncf") is not None:
            names = _able("openvino-int8", "openvino-int8-bf16")
            found.append(Maker(names=names, make=make_openvino_int8))
    return tuple(found)


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


def _able(*names: str) -> tuple[str, ...]:
    """Without those in bfloat16 where the processor does not know it."""
    return names if has_fast_bf16() else tuple(n for n in names if not n.endswith("bf16"))


def _openvino_variants(stem: str, precisions: dict[str, Precision]) -> tuple[Variant, ...]:
    """Variants that share one graph, and differ in what its float sums are made of."""
    return tuple(
        Variant(
            name=name,
            precision=precisions[name],
            runtime="openvino",
            files=(f"{stem}.xml", f"{stem}.bin"),
            opset=None,
        )
        for name in _able(*precisions)
    )


def _onnx_variant(path: Path, name: str, precision: Precision) -> Variant:
    model = onnx.load(path, load_external_data=False)
    found = (item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    return Variant(
        name=name,
        precision=precision,
        runtime="onnxruntime",
        files=(path.name,),
        opset=int(max(found)),
    )
