from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medistill.bundle.openvino_engine import OpenvinoEngine
from tests.unit.bundle.handmade import linear_graph

openvino = pytest.importorskip("openvino")


def test_by_hand_and_in_float32_whatever_the_processor_prefers(tmp_path: Path) -> None:
    (tmp_path / "g.onnx").write_bytes(linear_graph([[4.0], [-4.0]], [0.5, 0.0]))
    model = openvino.Core().read_model(tmp_path / "g.onnx")
    openvino.save_model(model, tmp_path / "g.xml", compress_to_fp16=False)
    xml, weights = ((tmp_path / f"g.{end}").read_bytes() for end in ("xml", "bin"))
    engine = OpenvinoEngine(xml, weights, threads=1)
    for count in (1, 3):
        images = np.full((count, 1, 4, 4), 0.5, np.float32)
        (logits,) = engine.run(["logits"], {"image": images})
        np.testing.assert_allclose(logits, [[2.5, -2.0]] * count)
    assert engine.shapes() == ({"image": [1, 4, 4]}, {"logits": [2]})
    hint = engine._compiled.get_property("INFERENCE_PRECISION_HINT")
    assert hint == openvino.Type.f32
    assert engine._compiled.get_property("INFERENCE_NUM_THREADS") == 1
