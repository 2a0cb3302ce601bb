from __future__ import annotations

from dataclasses import replace

import yaml

from medistill.bundle.schema import manifest_from_json
from medistill.export.card import model_card
from medistill.export.card_parts import decided, front_matter
from tests.unit.bundle.handmade import document, with_graph

DECISIONS = {
    "choice": {
        "rule": "sensitivity",
        "wished": 0.95,
        "positive": "ill",
        "images": 50,
        "groups": 40,
    },
    "conformal": None,
    "trust": None,
    "refusals": {"conformal": "too few groups"},
}


def test_the_head_is_yaml_that_the_hub_reads() -> None:
    manifest = manifest_from_json(document(b""))
    card = model_card(manifest)
    assert card.startswith(front_matter(manifest))
    head = yaml.safe_load(card.split("---")[1])
    assert head["pipeline_tag"] == "image-classification"
    assert head["library_name"] == "medistill"
    # A bundle does not say of what kind its network is, and not every student is a Transformer.
    assert "vision-transformer" not in head["tags"]


def test_what_decides_and_what_is_missing_is_said() -> None:
    changes = with_graph(decisions=DECISIONS, thresholds={"ill": 0.3, "well": 0.7})
    manifest = manifest_from_json(document(b"", **changes))
    lines = decided(manifest.graph(), manifest.classes, manifest.task)
    assert "Temperature: 1" in lines
    assert "Thresholds: ill 0.3, well 0.7" in lines
    assert "Chosen for: sensitivity 0.95 of ill, on 50 images of 40 groups" in lines
    assert "Missing, conformal: too few groups" in lines


def test_how_it_decides_without_thresholds_and_of_one_class_among_several_is_said() -> None:
    graph = manifest_from_json(document(b"")).graph()
    three = ["a", "b", "c"]
    assert decided(graph, ["ill", "well"], "single-label")[1] == (
        "Thresholds: none, says the most probable class"
    )
    assert "needs decide.positive and decide.rule" in decided(graph, three, "single-label")[1]
    assert decided(graph, three, "multi-label")[1].endswith("every label holds from 0.5 up")
    assert decided(graph, three, "segmentation")[1].endswith("class of each pixel")
    of_one = replace(graph, thresholds={"a": 0.7, "b": 0.3, "c": 0.7})
    assert decided(of_one, three, "single-label")[1] == (
        "Thresholds: a 0.7, b 0.3, c 0.7; says the class whose probability is largest relative to "
        "its own"
    )


def test_labels_are_named_beside_their_temperatures() -> None:
    choice = {**DECISIONS["choice"], "positive": None}  # type: ignore[dict-item]
    calibration = {"temperature": 1.0, "labels": [1.0, 0.5058]}
    changes = with_graph(decisions={**DECISIONS, "choice": choice}, calibration=calibration)
    manifest = manifest_from_json(document(b"", task="multi-label", **changes))
    lines = decided(manifest.graph(), manifest.classes, manifest.task)
    assert lines[0] == "Temperatures: ill 1, well 0.506"
    assert "Chosen for: sensitivity 0.95 of every label, on 50 images of 40 groups" in lines
