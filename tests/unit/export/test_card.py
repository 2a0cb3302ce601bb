from __future__ import annotations

from medistill.bundle.schema import manifest_from_json
from medistill.export.card import model_card
from tests.unit.bundle.handmade import HASH, document


def test_the_card_warns_first_and_says_what_the_bundle_is() -> None:
    body = document(b"", caveats=["Patient leakage cannot be excluded."], findings=["AUROC .9"])
    card = model_card(manifest_from_json(body))
    _, _, text = card.split("---", 2)  # after the hub's head
    assert text.lstrip().startswith(
        "# by-hand\n\n**For research use only. This is not a medical device"
    )
    assert "- Classes: ill, well\n" in card
    assert "a gray picture" in card
    assert "short side of 8 and then to 4 x 4 pixels (stretch)\n" in card
    assert "- Gray scale of CT (window): what each file declares\n" in card
    assert "inside the graph: values in [0, 1] less the mean 0, divided by 1\n" in card
    assert "## Caveats\n\n- Patient leakage cannot be excluded.\n" in card
    assert "## Findings\n\n- AUROC .9\n" in card
    assert "fp32, the default: student.onnx (fp32, onnxruntime opset 18, dynamic batch)" in card
    assert f"- data: sha256 {HASH}\n" in card
    assert f"- student's tensors: sha256 {HASH}\n" in card
    assert "teacher's tensors" not in card


def test_the_window_and_every_channels_normalisation_are_named() -> None:
    seen = document(b"")["preprocessing"]
    shown = {**seen, "window": "lung", "mean": [0.485, 0.456, 0.406], "std": [0.2, 0.2, 0.25]}
    card = model_card(manifest_from_json(document(b"", preprocessing=shown)))
    assert "- Gray scale of CT (window): lung\n" in card
    assert "less the mean 0.485, 0.456, 0.406, divided by 0.2, 0.2, 0.25\n" in card


def test_an_empty_section_is_left_out() -> None:
    card = model_card(manifest_from_json(document(b"")))
    assert "Caveats" not in card
    assert "Findings" not in card
    assert card.endswith("```\n")
