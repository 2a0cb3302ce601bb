from __future__ import annotations

import json
from typing import Any

import pytest

from medistill.bundle.acquisition import Acquisition
from medistill.bundle.calibration import Calibration
from medistill.bundle.decisions import Decisions
from medistill.bundle.schema import Manifest, identity_of, manifest_from_json
from medistill.core.errors import MedistillError
from tests.unit.bundle.handmade import document, with_graph

GRAPH = b"graph"
RECORD = {"sha256": "0" * 64, "size": 1}
CONFORMAL = {
    "level": 0.9,
    "quantiles": {"ill": 0.5, "well": 0.25},
    "absent": {},
    "groups": {"ill": 9, "well": 12},
    "absent_groups": {},
}
TRUST = {
    "energy": {"centre": -1.0, "spread": 0.5},
    "distance": {"centre": 1.0, "spread": 0.1},
    "features": {
        "means": [[0.0, 0.0]],
        "directions": [[1.0, 0.0]],
        "variances": [2.0],
        "rest": 0.5,
    },
    "threshold": 2.0,
    "false_alarms": 0.05,
    "groups": 40,
}


def with_decisions(**changes: Any) -> dict[str, Any]:
    """Changes for ``document`` that alter the decisions of its one graph."""
    (graph,) = document(b"")["graphs"]
    return with_graph(decisions={**graph["decisions"], **changes})


def test_a_manifest_goes_through_json_unchanged() -> None:
    body = document(GRAPH, caveats=["Läsionen: keine Patienten-IDs"])
    written = json.loads(json.dumps(manifest_from_json(body).to_json()))
    assert {key: value for key, value in written.items() if key != "identity"} == body
    assert written["identity"] == identity_of(body)


def test_decisions_go_through_json_unchanged() -> None:
    choice = {
        "rule": "sensitivity",
        "wished": 0.95,
        "positive": "ill",
        "images": 50,
        "groups": 40,
    }
    changes = with_decisions(choice=choice, conformal=CONFORMAL, trust=TRUST)
    changes["graphs"][0]["outputs"] = {"logits": "logits", "pooled": "pooled"}
    body = document(GRAPH, **changes)
    written = json.loads(json.dumps(manifest_from_json(body).to_json()))
    assert {key: value for key, value in written.items() if key != "identity"} == body


def test_version_2_is_read_as_if_nothing_were_known_of_its_pictures() -> None:
    body = document(GRAPH, schema=2)
    del body["acquisition"]
    assert manifest_from_json(body).acquisition == Acquisition()


def test_version_1_is_read_as_if_nothing_had_been_decided() -> None:
    body = document(GRAPH, schema=1)
    del body["acquisition"]
    del body["graphs"][0]["decisions"], body["graphs"][0]["calibration"]["labels"]
    graph = manifest_from_json(body).graph()
    assert graph.decisions == Decisions()
    assert graph.calibration == Calibration(temperature=1.0)
    assert manifest_from_json(body).to_json()["schema"] == 4


@pytest.mark.parametrize("graphs", [None, [None], [{"calibration": None}]])
def test_a_damaged_version_1_is_refused_like_any_other(graphs: Any) -> None:
    with pytest.raises(ValueError, match="graphs"):
        manifest_from_json(document(GRAPH, schema=1, graphs=graphs))


def test_the_identity_hangs_on_every_value_and_not_on_the_order() -> None:
    body = document(GRAPH)
    assert identity_of(dict(reversed(body.items()))) == identity_of(body)
    warmer = with_graph(calibration={"temperature": 1.5, "labels": []})
    assert identity_of(document(GRAPH, **warmer)) != identity_of(body)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ["a", "a"]}, "classes are not distinct"),
        ({"classes": []}, "classes are not distinct"),
        ({"task": "regression"}, "task is 'regression'"),
        ({"default": "int8"}, "default names no graph: 'int8'"),
        ({"colour": "red"}, "colour is unknown"),
        ({"files": {"student.onnx": RECORD, "../evil": RECORD}}, "not allowed: '../evil'"),
        ({"files": {"student.onnx": RECORD, "a/../../evil": RECORD}}, "not allowed"),
        ({"files": {"student.onnx": RECORD, "a\\evil": RECORD}}, "not allowed"),
        ({"files": {"student.onnx": RECORD, "/etc/passwd": RECORD}}, "not allowed"),
        ({"files": {"student.onnx": RECORD, "bundle.json": RECORD}}, "not allowed"),
        ({"files": {"student.onnx": {"sha256": "abc", "size": 1}}}, "has no SHA-256"),
        ({"files": {}}, "names 'student.onnx', which is not listed"),
        (with_graph(thresholds={"ill": 0.5}), "thresholds are not one for every class"),
        (with_graph(thresholds={"ill": 0.5, "well": 1.0}), "are not between 0 and 1"),
        (
            with_graph(calibration={"temperature": 0, "labels": []}),
            "temperature 0.0 is not positive",
        ),
        (
            with_graph(calibration={"temperature": 1.0, "labels": [1.0, 2.0]}),
            "labels are not one for every label",
        ),
        (
            with_decisions(conformal={**CONFORMAL, "quantiles": {"ill": 0.5}}),
            "not for these classes",
        ),
        (with_decisions(conformal={**CONFORMAL, "level": 1.0}), "level 1.0 is not between"),
        (with_decisions(trust=TRUST), "needs the output 'pooled'"),
        (with_graph(outputs={"logits": "pooled"}), "hold no logits"),
        (with_graph(files=[]), "files is empty"),
    ],
)
def test_a_contradiction_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        manifest_from_json(document(GRAPH, **change))


def test_two_graphs_of_one_name_are_refused() -> None:
    (graph,) = document(GRAPH)["graphs"]
    with pytest.raises(ValueError, match="hold a name twice"):
        manifest_from_json(document(GRAPH, graphs=[graph, graph]))


@pytest.mark.parametrize("change", [{"size": 0}, {"channels": "cmyk"}, {"std": [0.0]}])
def test_impossible_preprocessing_is_refused(change: dict[str, Any]) -> None:
    seen = {**document(GRAPH)["preprocessing"], **change}
    with pytest.raises((MedistillError, ValueError)):
        manifest_from_json(document(GRAPH, preprocessing=seen))


def test_the_stored_size_must_be_known() -> None:
    seen = {**document(GRAPH)["preprocessing"], "stored_size": None}
    with pytest.raises(ValueError, match="stored_size is missing"):
        manifest_from_json(document(GRAPH, preprocessing=seen))


def test_provenance_holds_hashes_and_nothing_that_could_be_a_name() -> None:
    made = {**document(GRAPH)["provenance"], "data": "Mueller, Hans"}
    with pytest.raises(ValueError, match=r"provenance.data is not a SHA-256"):
        manifest_from_json(document(GRAPH, provenance=made))


def test_graphs_by_name() -> None:
    manifest: Manifest = manifest_from_json(document(GRAPH))
    assert manifest.graph() is manifest.graph("fp32") is manifest.graphs[0]
    with pytest.raises(KeyError):
        manifest.graph("int8")
