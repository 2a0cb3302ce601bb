from __future__ import annotations

import io
import logging
import sys
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
import onnx
import pytest

from medistill.bundle.engine import open_engine
from medistill.bundle.openvino_engine import has_openvino
from medistill.export import variants
from medistill.export.path_scan import absolute_paths
from medistill.export.variants import Maker, Material, Variant, make_fp16, make_int8, makers, quiet
from tests.apart import run_apart
from tests.unit.export.conftest import pictures, tiny_network

# Eight bits of a network of four channels on noise; real ones are judged by the gate.
ALLOWED = {"fp16": 0.01, "fp32": 1e-5, "bf16": 0.05, "int8": 0.25, "int8-bf16": 0.25}


def material(count: int = 16) -> Material:
    images = pictures(tiny_network(), count)
    return Material(task="single-label", ranges=images, control=images, agreement=0.99)


def hold_against_float32(variant: Variant, graph: Path, folder: Path) -> None:
    images = pictures(tiny_network(), 16)
    content = [(folder / file).read_bytes() for file in variant.files]
    engine = open_engine(content, runtime=variant.runtime, precision=variant.precision, threads=1)
    plain = open_engine([graph.read_bytes()], runtime="onnxruntime", threads=1)
    for count in (1, 5):
        (found,) = engine.run(["logits"], {"image": images[:count]})
        (expected,) = plain.run(["logits"], {"image": images[:count]})
        spread = max(float(np.ptp(expected)), 1.0)
        assert np.abs(found - expected).max() / spread < ALLOWED[variant.precision], variant.name
    if variant.runtime == "openvino":
        assert not list(absolute_paths(content[0].decode()))


@pytest.mark.parametrize("make", [make_fp16, make_int8])
def test_a_variant_says_nearly_what_float32_says(
    make: variants.Make, graph: Path, tmp_path: Path
) -> None:
    with quiet():
        (variant,) = make(graph, tmp_path, material())
    hold_against_float32(variant, graph, tmp_path)


def openvino_variants(folder: Path) -> None:
    found = [
        variant
        for maker in makers()
        if maker.names[0].startswith("openvino")
        for variant in maker.make(folder / "g.onnx", folder, material())
    ]
    assert [variant.name for variant in found] == [
        name for maker in makers() for name in maker.names if name.startswith("openvino")
    ]
    for variant in found:
        hold_against_float32(variant, folder / "g.onnx", folder)


@pytest.mark.skipif(not has_openvino(), reason="OpenVINO is not installed")
def test_openvinos_variants_say_nearly_the_same(graph: Path, tmp_path: Path) -> None:
    run_apart(openvino_variants, graph.parent)


def test_bfloat16_is_tried_only_where_the_processor_knows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def names(found: tuple[Maker, ...]) -> set[str]:
        return {name for maker in found for name in maker.names}

    monkeypatch.setattr(variants, "has_openvino", lambda: True)
    monkeypatch.setattr(variants, "has_fast_bf16", lambda: True)
    assert {"openvino-fp32", "openvino-bf16"} <= names(makers())
    monkeypatch.setattr(variants, "has_fast_bf16", lambda: False)
    assert not any(name.endswith("bf16") for name in names(makers()))
    monkeypatch.setattr(variants, "has_openvino", lambda: False)
    assert names(makers()) == {"fp16", "int8"}


def test_int8_holds_integers(graph: Path, tmp_path: Path) -> None:
    with quiet():
        (variant,) = make_int8(graph, tmp_path, material(4))
    kinds = {t.data_type for t in onnx.load(tmp_path / variant.files[0]).graph.initializer}
    assert onnx.TensorProto.INT8 in kinds
    assert variant.opset is not None


def test_quiet_is_quiet_and_ends() -> None:
    spoken = io.StringIO()
    with redirect_stderr(spoken):
        with quiet():
            print("bar", file=sys.stderr)
            logging.getLogger("nncf").warning("x")
        assert not spoken.getvalue()
        print("after", file=sys.stderr)
    assert spoken.getvalue() == "after\n"
    assert logging.root.manager.disable == 0
