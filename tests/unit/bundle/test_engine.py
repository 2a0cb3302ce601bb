from __future__ import annotations

import numpy as np
import pytest

from medistill.bundle import engine
from medistill.bundle.engine import open_engine
from medistill.core.errors import MissingExtraError
from tests.unit.bundle.handmade import linear_graph

GRAPH = linear_graph([[4.0], [-4.0]], [0.5, 0.0])


def test_onnx_by_hand_with_every_setting_explicit() -> None:
    opened = open_engine([GRAPH], runtime="onnxruntime", threads=2)
    (logits,) = opened.run(["logits"], {"image": np.full((3, 1, 4, 4), 0.5, np.float32)})
    np.testing.assert_allclose(logits, [[2.5, -2.0]] * 3)
    assert opened.shapes() == ({"image": [1, 4, 4]}, {"logits": [2]})
    options = opened._session.get_session_options()  # type: ignore[attr-defined]
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)
    assert options.enable_cpu_mem_arena is False
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_a_missing_runtime_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "has_openvino", lambda: False)
    with pytest.raises(MissingExtraError, match=r"medistill\[openvino\]"):
        open_engine([b"", b""], runtime="openvino", threads=1)
