import csv
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from medistill.core.files import read_json
from medistill.export import variants
from medistill.export.variants import Maker
from medistill.serve.command import predict_command
from medistill.stages import gate
from medistill.stages.data import prepare_data
from medistill.stages.gate import spread
from medistill.stages.metric_change import metric_change
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
    found = metric_change(prepared, rows, truth, level, right)
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
    lenient = gate.Bounds(agreement=0.0, sensitivity=1.0, metric=1.0, faster=0.0, runs=3)
    monkeypatch.setattr(gate, "Bounds", lambda **_: lenient)
    int8 = Maker(names=("int8",), make=variants.make_int8)
    monkeypatch.setattr("medistill.export.candidates.makers", lambda: (int8,))
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
    found = read_json(run / "gate/gate.json")
    assert [each["name"] for each in found["variants"]] == ["fp32", "int8"]
    assert found["variants"][1]["trial"] == trial
    assert "Every variant was published." in (run / "gate/report.html").read_text()
    report = (run / "evaluation/report.html").read_text(encoding="utf-8")
    assert report.count('<section id="exported"') == report.count('href="#exported"') == 1
    assert "Every variant was published." in report
    export(run)  # is there already, and says the same
    assert (run / "evaluation/report.html").read_text(encoding="utf-8") == report
    shutil.rmtree(run / "gate")  # as a kill leaves it between the bundle and its record
    export(run)
    found = read_json(run / "gate/gate.json")
    assert [each["name"] for each in found["variants"]] == ["fp32", "int8"]
    _predicts_as_recorded(run, images, found["variants"][1], tmp_path)


def _predicts_as_recorded(
    run: Path, images: list[Path], found: dict[str, Any], folder: Path
) -> None:
    """Every image among others, and the first alone, as the gate's own table says."""
    with (run / "gate/int8.csv").open(encoding="utf-8") as stream:
        heads, *rows = csv.reader(stream)
    recorded = np.array([row[1:] for row in rows], dtype=float)
    assert heads[1:] == ["p_normal", "p_lesion", "batched_p_normal", "batched_p_lesion"]
    difference = np.abs(recorded[:, :2] - recorded[:, 2:]).max()
    assert found["batch_difference"] == pytest.approx(difference)
    out = folder / "said.jsonl"
    for chosen, columns in ((images, recorded[:, 2:]), (images[:1], recorded[:1, :2])):
        out.unlink(missing_ok=True)
        assert predict_command(run / "bundle", chosen, out, graph="int8") == 0
        lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        said = [list(line["probabilities"].values()) for line in lines]
        np.testing.assert_allclose(said, columns, atol=1e-6)


def predicted(run: Path, images: list[Path], graph: dict[str, Any], folder: Path) -> Any:
    """(N, K) probabilities of ``medistill predict``, their temperature taken off again."""
    out = folder / f"{graph['name']}.jsonl"
    assert predict_command(run / "bundle", images, out, graph=graph["name"]) == 0
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    chances = np.array([list(line["probabilities"].values()) for line in lines])
    raised = chances ** graph["calibration"]["temperature"]
    return raised / raised.sum(axis=1, keepdims=True)


def labelled(labels: object, task: str, classes: tuple[str, ...]) -> SimpleNamespace:
    """What ``metric_change`` asks of prepared data: one image a group."""
    count = len(labels)  # type: ignore[arg-type]
    samples = [SimpleNamespace(name=str(n), group=str(n), label=None) for n in range(count)]
    images = SimpleNamespace(task=task, classes=classes, samples=samples, group_word="image")
    return SimpleNamespace(images=images)


def test_change_of_several_labels_is_of_their_mean_auroc() -> None:
    truth = np.array([[0.0, 1.0], [1.0, 0.0]] * 20)
    level, better = np.full((40, 2), 0.5), np.full((40, 2), 0.5)
    # The first label is right for 15 of 20 yes and 15 of 20 no: 387.5 of 400 pairs.
    better[:30, 0] = truth[:30, 0]
    found = metric_change(
        labelled(truth, "multi-label", ("a", "b")), range(40), truth, level, better
    )
    assert found is not None
    assert (found.name, found.change) == ("auroc", pytest.approx((387.5 / 400 - 0.5) / 2))
    assert found.low is not None
    assert 0 < found.low < found.change
    few = metric_change(
        labelled(truth[:4], "multi-label", ("a", "b")), range(4), truth[:4], level[:4], better[:4]
    )
    assert few is None


def test_change_of_masks_is_of_dice() -> None:
    truth = np.array([[[1, 1, 0, 0]], [[1, 1, 0, 255]]] * 10)
    right = np.stack([truth == 0, truth != 0], axis=1).astype(float)
    worse = right.copy()
    worse[:10, :, 0, 0] = [1.0, 0.0]  # half of the images lose one of two pixels: Dice 2 / 3
    found = metric_change(
        labelled(truth, "segmentation", ("none", "lesion")), range(20), truth, right, worse
    )
    assert found is not None
    assert (found.name, found.change) == ("dice", pytest.approx(-1 / 6))
    assert found.high is not None
    assert found.change < found.high < 0
