from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medistill.bundle.openvino_engine import OpenvinoEngine, has_openvino
from tests.apart import run_apart
from tests.unit.bundle.handmade import linear_graph

pytestmark = pytest.mark.skipif(not has_openvino(), reason="OpenVINO is not installed")


def opened(folder: Path, **settings: bool) -> OpenvinoEngine:
    import openvino

    (folder / "g.onnx").write_bytes(linear_graph([[4.0], [-4.0]], [0.5, 0.0]))
    model = openvino.Core().read_model(folder / "g.onnx")
    openvino.save_model(model, folder / "g.xml", compress_to_fp16=False)
    xml, weights = ((folder / f"g.{end}").read_bytes() for end in ("xml", "bin"))
    return OpenvinoEngine(xml, weights, threads=1, **settings)


def by_hand(folder: Path) -> None:
    import openvino

    engine = opened(folder)
    assert engine.shapes() == ({"image": [1, 4, 4]}, {"logits": [2]})
    for count in (1, 3, 1):
        images = np.full((count, 1, 4, 4), 0.5, np.float32)
        (logits,) = engine.run(["logits"], {"image": images})
        np.testing.assert_allclose(logits, [[2.5, -2.0]] * count)
    for single in (True, False):
        compiled = engine.compiled(single=single)
        assert compiled.get_property("INFERENCE_PRECISION_HINT") == openvino.Type.f32
        assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
        assert compiled.inputs[0].partial_shape.is_static is single


def bfloat16_is_said(folder: Path) -> None:
    import openvino

    from medistill.core.runtime import has_fast_bf16

    compiled = opened(folder, bf16=True).compiled(single=True)
    wanted = openvino.Type.bf16 if has_fast_bf16() else openvino.Type.f32
    assert compiled.get_property("INFERENCE_PRECISION_HINT") == wanted


def test_by_hand_and_in_float32_whatever_the_processor_prefers(tmp_path: Path) -> None:
    run_apart(by_hand, tmp_path)


def test_bfloat16_only_where_it_is_asked_for(tmp_path: Path) -> None:
    run_apart(bfloat16_is_said, tmp_path)
