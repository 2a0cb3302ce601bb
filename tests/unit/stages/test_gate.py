import shutil
from pathlib import Path

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
    images = sorted((run / "data/drawn").rglob("images/*.png"))[:3]
    for name in graphs.keys() - {"explain"}:
        assert predict_command(run / "bundle", images, tmp_path / f"{name}.csv", graph=name) == 0
