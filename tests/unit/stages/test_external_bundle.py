from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medistill.bundle.bundle import open_bundle
from medistill.bundle.schema import identity_of
from medistill.core.errors import BundleError
from medistill.core.files import read_json, write_json
from medistill.serve.predictor import Predictor
from medistill.stages.external import evaluate
from medistill.stages.external_bundle import shipped, wish_of

OTHER = "phantom:count=60,size=32,start=5000"
CHOICE = {"rule": "sensitivity", "wished": 0.9, "positive": "lesion", "images": 30, "groups": 30}


def changed(finished: Path, tmp_path: Path, **values: Any) -> Path:
    """The run's bundle with other decisions, sealed again."""
    copy = tmp_path / "bundle"
    shutil.copytree(finished / "bundle", copy)
    document = dict(read_json(copy / "bundle.json"))
    for graph in (each for each in document["graphs"] if each["name"] == document["default"]):
        graph["thresholds"] = values.get("thresholds", graph["thresholds"])
        graph["decisions"] |= {k: v for k, v in values.items() if k != "thresholds"}
    write_json(copy / "bundle.json", {**document, "identity": identity_of(document)})
    return copy


def judged(model: Path, out: Path) -> tuple[dict[str, Any], str]:
    """What is decided of the student, and the report."""
    page = evaluate(model, data=OTHER, out=out).read_text()
    metrics = json.loads((out / "metrics.json").read_text())
    return metrics["decisions"]["student"], page


def test_the_shipped_threshold_is_judged_and_never_chosen_again(
    finished: Path, tmp_path: Path
) -> None:
    with (finished / "evaluation/student.csv").open(encoding="utf-8") as stream:
        usual = sorted(float(row["p_lesion"]) for row in csv.DictReader(stream))
    limit = usual[len(usual) // 3]
    thresholds = {"normal": 1 - limit, "lesion": limit}
    model = changed(finished, tmp_path, thresholds=thresholds, choice=CHOICE)
    student, page = judged(model, tmp_path / "out")
    (point,) = student["operating"]
    assert (point["rule"], point["wished"], point["shipped"]) == ("sensitivity", 0.9, True)
    assert point["threshold"] == limit
    with (tmp_path / "out/student.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    called = [row["label"] for row in rows if float(row["p_lesion"]) >= limit]
    assert point["confusion"]["hits"] == called.count("lesion")
    assert point["confusion"]["false_alarms"] == called.count("normal")
    assert "lesion: sensitivity of at least 90%, shipped" in page
    assert "Nothing was fitted on the other set" in page


def test_sets_gate_and_temperature_are_the_shipped_ones(finished: Path, tmp_path: Path) -> None:
    graph = open_bundle(finished / "bundle").graph()
    assert graph.decisions.conformal is not None
    assert graph.decisions.trust is not None
    quantiles = {"quantiles": {"normal": 1.0, "lesion": 1.0}}
    conformal = read_json(finished / "bundle/bundle.json")["graphs"][0]["decisions"]["conformal"]
    trust = read_json(finished / "bundle/bundle.json")["graphs"][0]["decisions"]["trust"]
    model = changed(
        finished,
        tmp_path,
        conformal={**conformal, **quantiles},
        trust={**trust, "threshold": 0.0},
    )
    student, _ = judged(model, tmp_path / "out")
    assert student["temperature"] == [graph.calibration.temperature]
    # Quantiles of 1 leave every class possible, and a limit of 0 stops every image.
    assert student["sets"]["sizes"]["several"]["estimate"] == 1
    assert student["strange"]["false_alarms"]["estimate"] == 1


def test_what_a_bundle_ships_without_is_said(finished: Path, tmp_path: Path) -> None:
    model = changed(finished, tmp_path, thresholds={}, conformal=None, trust=None, refusals={})
    student, page = judged(model, tmp_path / "out")
    assert student["operating"] == []
    assert student["sets"] == student["strange"] == {"reason": "the bundle ships none"}
    for said in (
        "Threshold: the bundle ships none, it says the most probable class.",
        "Prediction sets: the bundle ships none.",
        "Trust gate: the bundle ships none.",
    ):
        assert said in page


def test_reasons_of_the_bundle_itself_go_before(finished: Path, tmp_path: Path) -> None:
    few = {"trust": "too few groups (8)"}
    limits = {"normal": 0.4, "lesion": 0.6}
    model = changed(finished, tmp_path, thresholds=limits, trust=None, refusals=few)
    fitted = shipped(open_bundle(model).graph(), "multi-label")
    assert fitted.decisions.refusals == {
        "thresholds": "the bundle does not say by which rule it chose its own",
        **few,
    }
    assert wish_of(None) is None


def test_an_image_without_a_finite_answer_is_counted_with_the_unreadable(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, broken = Predictor.outputs, {"first": slice(0, 1), "all": slice(None)}

    def spoiled(which: str) -> None:
        def outputs(self: Predictor, images: Any) -> dict[str, Any]:
            said = ask(self, images)
            said["logits"][broken[which]] = np.nan
            return said

        monkeypatch.setattr(Predictor, "outputs", outputs)

    spoiled("first")
    evaluate(finished / "bundle", data=OTHER, out=tmp_path / "out")
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    (left,) = metrics["flow"]["unreadable"]
    assert left["reason"] == "the graph gave no finite number"
    assert metrics["counts"]["images"] == 59
    spoiled("all")
    with pytest.raises(BundleError, match="gave no finite number for any image"):
        evaluate(finished / "bundle", data=OTHER, out=tmp_path / "none")
