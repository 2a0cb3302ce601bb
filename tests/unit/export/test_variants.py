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
from medistill.export.path_scan import absolute_paths
from medistill.export.variants import makers, quiet
from tests.unit.export.conftest import pictures, tiny_network


@pytest.mark.parametrize("name", ["fp16", "int8", "openvino-fp32", "openvino-int8"])
def test_a_variant_says_nearly_what_float32_says(name: str, graph: Path, tmp_path: Path) -> None:
    if name not in makers():
        pytest.skip("its extra is not installed")
    images = pictures(tiny_network(), 16)
    with quiet():
        variant = makers()[name](graph, tmp_path, images)
    content = [(tmp_path / file).read_bytes() for file in variant.files]
    engine = open_engine(content, runtime=variant.runtime, threads=1)
    plain = open_engine([graph.read_bytes()], runtime="onnxruntime", threads=1)
    for count in (1, 5):
        (found,) = engine.run(["logits"], {"image": images[:count]})
        (expected,) = plain.run(["logits"], {"image": images[:count]})
        spread = float(np.ptp(expected)) or 1.0
        # Eight bits of a network of four channels on noise; real ones are judged by the gate.
        allowed = 0.25 if variant.precision == "int8" else 0.01
        assert np.abs(found - expected).max() / max(spread, 1.0) < allowed
    assert variant.name == name
    if variant.runtime == "openvino":
        assert not list(absolute_paths(content[0].decode()))


def test_int8_holds_integers(graph: Path, tmp_path: Path) -> None:
    with quiet():
        variant = makers()["int8"](graph, tmp_path, pictures(tiny_network(), 4))
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
