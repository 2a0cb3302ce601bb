"""The card's script says what medistill says of the same picture."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper
from PIL import Image

from medistill.bundle.bundle import open_bundle
from medistill.bundle.schema import manifest_from_json
from medistill.export.card import model_card
from medistill.export.card_sample import interface, sample
from medistill.imaging.reader import read_image
from medistill.serve.predictor import Predictor
from tests.unit.bundle.handmade import HASH, document, with_graph, write_bundle


def made_graph(
    nodes: list[NodeProto], weights: list[Any], *, channels: int, scores: list[int]
) -> bytes:
    image, held = ["batch", channels, 4, 4], ["batch", *scores]
    graph = helper.make_graph(
        nodes,
        "by hand",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, held)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


def weighing_graph(channels: int) -> bytes:
    """Two scores that weigh every pixel differently, so that no shift goes unseen."""
    weights = np.random.default_rng(1).normal(size=(2, channels * 16)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights"], ["logits"], transB=1),
    ]
    stored = [numpy_helper.from_array(weights, "weights")]
    return made_graph(nodes, stored, channels=channels, scores=[2])


def picture(folder: Path, side: tuple[int, int]) -> Path:
    colours = np.random.default_rng(0).integers(0, 256, (*side, 3), dtype=np.uint8)
    colours[: side[0] // 2] = 0
    turned = Image.Exif()
    turned[274] = 6  # Orientation: to be turned by a quarter
    Image.fromarray(colours).save(folder / "image.png", exif=turned)
    return folder / "image.png"


def said_by_script(card: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    imported = {"numpy", "onnxruntime", "PIL"}
    assert set(re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE)) == imported
    assert max(len(line) for line in code.splitlines()) <= 100
    monkeypatch.chdir(folder)
    exec(compile(code, "card", "exec"), {})
    return str(capsys.readouterr().out)


@pytest.mark.parametrize("side", [(30, 17), (9, 40)])
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("channels", ["gray", "rgb"])
@pytest.mark.parametrize("task", ["single-label", "multi-label"])
def test_the_script_agrees_with_predict(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
    task: str,
    channels: str,
    fit: str,
    side: tuple[int, int],
) -> None:
    colours = 1 if channels == "gray" else 3
    graph = weighing_graph(colours)
    seen = {**document(graph)["preprocessing"], "channels": channels, "fit": fit}
    seen |= {"mean": [0.0] * colours, "std": [1.0] * colours}
    own = with_graph(
        calibration={"temperature": 1.7, "labels": [] if task == "single-label" else [1.7, 0.6]},
        thresholds={"ill": 0.8, "well": 0.2},
    )
    body = document(graph, task=task, preprocessing=seen, **own)
    folder = write_bundle(tmp_path / "bundle", graph, body)
    path = picture(folder, side)
    (expected,) = Predictor(open_bundle(folder)).predict_files([path])
    card = model_card(manifest_from_json(body))
    said = said_by_script(card, folder, monkeypatch, capsys)
    held, _, chances = said.partition(" {")
    found = ast.literal_eval("{" + chances)
    assert tuple(found.values()) == pytest.approx(expected.probabilities, abs=1e-6)
    assert "; ".join(re.findall(r"\w+", held)) == expected.label


def test_masks_are_numbers_of_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    nodes = [
        helper.make_node("Neg", ["image"], ["dark"]),
        helper.make_node("Concat", ["dark", "image"], ["logits"], axis=1),
    ]
    graph = made_graph(nodes, [], channels=1, scores=[2, 4, 4])
    body = document(graph, task="segmentation", classes=["back", "organ"])
    folder = write_bundle(tmp_path / "bundle", graph, body)
    path = picture(folder, (8, 8))
    card = model_card(manifest_from_json(body))
    said = ast.literal_eval(said_by_script(card, folder, monkeypatch, capsys))
    predictor = Predictor(open_bundle(folder))
    # White has a score of 1 against -1; black has 0 against 0, of which the first counts.
    white = int((predictor.prepare(read_image(path)) > 0).sum())
    assert white > 0
    assert said == {"back": 16 - white, "organ": white}
    assert "float32 of shape (N, 2, 4, 4)" in card


def test_the_interface_is_told_and_a_bundle_without_onnx_has_none() -> None:
    manifest = manifest_from_json(document(b""))
    assert interface(manifest)[1].startswith("Input `image`: float32 of shape (N, 1, 4, 4), values")
    other_runtime = with_graph(runtime="openvino", opset=None, files=["g.xml", "g.bin"])
    other_runtime["files"] = dict.fromkeys(("g.xml", "g.bin"), {"sha256": HASH, "size": 1})
    other = manifest_from_json(document(b"", **other_runtime))
    assert sample(other) == ""
    assert interface(other) == []
    assert "without medistill" not in model_card(other)
