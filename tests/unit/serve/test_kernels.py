from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from medistill.bundle.bundle import open_bundle
from medistill.bundle.openvino_engine import has_openvino
from medistill.serve.kernels import kernel_shares
from tests.apart import run_apart
from tests.unit.bundle.handmade import document, gray_bundle, with_graph


def test_onnxruntime_names_its_operators(tmp_path: Path) -> None:
    bundle = open_bundle(gray_bundle(tmp_path / "b"))
    found = kernel_shares(bundle, bundle.graph(), threads=1, shape=(1, 4, 4))
    assert {"Gemm", "GlobalAveragePool"} <= set(found)
    assert sum(found.values()) == pytest.approx(1, abs=1e-3)


def openvino_names_its_kernels(folder: Path) -> None:
    import openvino

    onnx = gray_bundle(folder / "plain") / "student.onnx"
    (folder / "b").mkdir()
    openvino.save_model(openvino.Core().read_model(onnx), folder / "b" / "g.xml")
    names = ["g.xml", "g.bin"]
    files = {}
    for name in names:
        content = (folder / "b" / name).read_bytes()
        files[name] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    body = document(b"", files=files, **with_graph(files=names, runtime="openvino", opset=None))
    packed = json.dumps(body, sort_keys=True, separators=(",", ":"))
    sealed = {**body, "identity": hashlib.sha256(packed.encode()).hexdigest()}
    (folder / "b" / "bundle.json").write_text(json.dumps(sealed), encoding="utf-8")
    bundle = open_bundle(folder / "b")
    found = kernel_shares(bundle, bundle.graph(), threads=1, shape=(1, 4, 4))
    assert any("32" in kind for kind in found), found  # the number format is in the name
    assert sum(found.values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.skipif(not has_openvino(), reason="OpenVINO is not installed")
def test_openvino_names_its_kernels(tmp_path: Path) -> None:
    run_apart(openvino_names_its_kernels, tmp_path)
