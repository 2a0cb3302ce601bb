from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medistill.bundle.trial import MetricChange
from medistill.export.bundle_writer import BundleText, provenance_now, publish_bundle
from medistill.export.candidates import Gate
from medistill.export.gate import Bounds, Examples
from medistill.export.variants import Maker, Material, Variant
from medistill.models.network import Network
from tests.unit.export.conftest import pictures
from tests.unit.export.test_gate import Plain


def same(graph: Path, folder: Path, material: Material) -> tuple[Variant, ...]:
    """A variant that is the graph itself."""
    (folder / "student-same.onnx").write_bytes(graph.read_bytes())
    variant = Variant(
        name="same", precision="fp16", runtime="onnxruntime", files=("student-same.onnx",), opset=18
    )
    return (variant,)


def broken(graph: Path, folder: Path, material: Material) -> tuple[Variant, ...]:
    (folder / "student-broken.onnx").write_bytes(b"half a file")
    raise RuntimeError("no such operator\nand a long story")


@pytest.mark.parametrize(("faster", "admitted"), [(0.0, True), (1e9, False)])
def test_the_gate_publishes_what_passes_and_says_why_not(
    network: Network, tmp_path: Path, faster: float, admitted: bool
) -> None:
    images = pictures(network, 8)
    examples = Examples(
        task="single-label",
        classes=("a", "b"),
        images=images,
        labels=np.array([0, 1] * 4),
        quantise=images,
        control=images,
        decide=lambda run: Plain(thresholds={"a": 0.3, "b": 0.7}),
        compare=lambda a, b: MetricChange(name="auroc", change=0.0, low=-0.1, high=0.1),
    )
    said: list[str] = []
    gate = Gate(
        examples=examples,
        bounds=Bounds(faster=faster, sensitivity=1.0, runs=3),
        makers=[Maker(names=("same",), make=same), Maker(names=("broken",), make=broken)],
        say=said.append,
    )
    text = BundleText(
        name="s",
        task="single-label",
        classes=("a", "b"),
        stored_size=8,
        provenance=provenance_now(recipe=None, data=None, teacher=None, student=None),
    )
    published = publish_bundle(network, tmp_path / "b", text, images=images, gate=gate)
    manifest = published.bundle.manifest
    names = {graph.name for graph in manifest.graphs}
    assert names == ({"fp32", "same"} if admitted else {"fp32"})
    assert manifest.refused["broken"] == "it cannot be made or run here (no such operator)"
    assert ("same" in manifest.refused) is not admitted
    assert not (tmp_path / "b" / "student-broken.onnx").exists()
    assert (tmp_path / "b" / "student-same.onnx").exists() is admitted
    assert len(said) == 2
    assert [each.name for each in published.tried] == ["fp32", "same", "broken"]
    plain = manifest.graph("fp32").trial
    assert plain is not None
    assert plain.ratio == 1.0
    assert plain.file_bytes == (tmp_path / "b" / "student.onnx").stat().st_size
    assert {(speed.threads, speed.batch) for speed in plain.speeds} >= {(1, 1), (1, 8)}
    assert manifest.parameters == 58  # 4 x 9 + 4, twice 4, 4 x 2 + 2
    assert "broken: it cannot be made" in (tmp_path / "b" / "README.md").read_text()
    if admitted:
        graph = manifest.graph("same")
        assert graph.trial is not None
        assert graph.thresholds == {"a": 0.3, "b": 0.7}
        assert graph.parity.largest_difference < 1e-5
