import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medistill.core.files import read_json
from medistill.export import variants
from medistill.serve.command import predict_command
from medistill.stages import gate
from medistill.stages.data import prepare_data
from medistill.stages.gate import auroc_change, spread
from medistill.stages.run import export, open_run


def test_rows_are_spread_evenly() -> None:
    assert spread(range(5), 9) == (0, 1, 2, 3, 4)
    assert spread(range(0, 100, 10), 4) == (0, 30, 60, 90)


def test_change_of_auroc_by_hand(finished: Path) -> None:
    prepared = prepare_data(open_run(finished))
    rows = prepared.parts[0].evaluate
    truth = prepared.labels[list(rows)].argmax(axis=1).astype(float)
    right = np.stack([1 - truth, truth], axis=1)
    level = np.full((len(rows), 2), 0.5)
    found = auroc_change(prepared, rows, level, right)
    assert found is not None
    assert found.change == pytest.approx(0.5)  # from 0.5 to 1


def test_int8_is_judged_and_recorded_and_predicts(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    shutil.rmtree(run / "bundle")
    recipe = run / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("variants: false", "variants: true"))
    lenient = gate.Bounds(agreement=0.0, sensitivity=1.0, faster=0.0, runs=3)
    monkeypatch.setattr(gate, "Bounds", lambda **_: lenient)
    monkeypatch.setattr("medistill.export.candidates.makers", lambda: {"int8": variants.make_int8})
    export(run)
    manifest = read_json(run / "bundle/bundle.json")
    graphs = {graph["name"]: graph for graph in manifest["graphs"]}
    trial = graphs["int8"]["trial"]
    assert {speed["batch"] for speed in trial["speeds"]} == {1, 8}
    assert trial["metric"]["name"] == "auroc"
    prepared = prepare_data(open_run(run))
    rows = prepared.parts[0].calibrate
    images = [prepared.images.samples[row].path for row in rows]
    plain = {name: predicted(run, images, graphs[name], tmp_path) for name in ("fp32", "int8")}
    recorded = graphs["int8"]["parity"]
    # What ``predict`` says of these images is what the gate measured on them.
    assert recorded["images"] == len(rows)
    difference = np.abs(plain["int8"] - plain["fp32"]).max()
    assert difference == pytest.approx(recorded["largest_difference"], abs=1e-4)
    same = plain["int8"].argmax(axis=1) == plain["fp32"].argmax(axis=1)
    assert same.mean() == pytest.approx(recorded["agreement"])


def predicted(run: Path, images: list[Path], graph: dict[str, Any], folder: Path) -> Any:
    """(N, K) probabilities of ``medistill predict``, their temperature taken off again."""
    out = folder / f"{graph['name']}.jsonl"
    assert predict_command(run / "bundle", images, out, graph=graph["name"]) == 0
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    chances = np.array([list(line["probabilities"].values()) for line in lines])
    raised = chances ** graph["calibration"]["temperature"]
    return raised / raised.sum(axis=1, keepdims=True)
