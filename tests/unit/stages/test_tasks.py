"""Labels that are not exclusive, and masks: from a run to its report, comparison and refusals."""

from __future__ import annotations

import shutil
from pathlib import Path

import jsonschema
import pytest
from PIL import Image

import medistill.evaluate
from medistill.core.errors import DataError
from medistill.core.files import read_json
from medistill.stages.comparing import compare
from medistill.stages.external import evaluate
from medistill.stages.overlays import explain_images
from medistill.stages.run import run

SCHEMA = Path(str(medistill.evaluate.__path__[0])) / "metrics.schema.json"
TINY = (
    "data.stored_size=32",
    "data.folds=1",
    "data.workers=0",
    "data.shares={select: 0.1, calibrate: 0.25, evaluate: 0.3}",
    "views.count=2",
    "teacher.weights=null",
    "teacher.predistil=null",
    "teacher.members=1",
    "teacher.cross_fit=false",
    "train.epochs=1",
    "train.warmup_epochs=0",
    "train.batch_size=16",
    "export.variants=false",
)
VIT = "{name: vit, image_size: 32, patch_size: 8, width: 16, depth: 2, heads: 2}"
# timm's own network for tests: four levels of a block each, quickly exported.
PYRAMID = "{name: test_convnext2, image_size: 32, decoder: mlp, decoder_width: 16}"


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(
        "multi-label-small",
        data="phantom:count=160,size=32,task=lesions",
        out=tmp_path_factory.mktemp("labels") / "run",
        overrides=(
            *TINY,
            f"teacher.model={VIT}",
            f"student={VIT}",
            "teacher.fit={epochs: 1, batch_size: 16, lr: 1.0e-3}",
            "decide={rule: sensitivity, wished: 0.8, coverage: 0.8}",
        ),
    )


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(
        "rskd-cnn-small",
        data="phantom:count=90,size=32,task=segmentation",
        out=tmp_path_factory.mktemp("masks") / "run",
        overrides=(
            *TINY,
            f"teacher.model={PYRAMID}",
            f"student={PYRAMID}",
            "teacher.fit={epochs: 1, batch_size: 16, lr: 1.0e-3, select_by: dice}",
        ),
    )


@pytest.mark.parametrize("kind", ["labels", "masks"])
def test_metrics_obey_the_published_schema(kind: str, request: pytest.FixtureRequest) -> None:
    finished: Path = request.getfixturevalue(kind)
    metrics = read_json(finished / "evaluation/metrics.json")
    jsonschema.validate(metrics, read_json(SCHEMA))
    assert metrics["provenance"]["weights"]
    assert metrics["flow"]["parts"]["evaluate"]["images"] == metrics["counts"]["images"]


def test_every_label_has_its_own_decisions(labels: Path) -> None:
    metrics = read_json(labels / "evaluation/metrics.json")
    student, classes = metrics["decisions"]["student"], metrics["classes"]
    assert len(student["temperature"]) == len(classes)
    assert set(student["calibration"]["after"]["per_class"]) == set(classes)
    assert {point["class"] for point in student["operating"]} == set(classes)
    shipped = [point for point in student["operating"] if point["shipped"]]
    assert [point["class"] for point in shipped] == classes
    assert {f"{c} {a}" for c in classes for a in ("present", "absent")} <= set(
        student["sets"]["coverage"]
    )
    assert set(student["decision_curve"]) == set(classes)
    assert student["selective"]["of"] == "accuracy"
    assert {each["name"] for each in metrics["harm"]} == set(classes)
    assert metrics["explanation"]["models"]["student"]


def test_the_report_of_masks_shows_doubt_and_says_what_does_not_apply(masks: Path) -> None:
    metrics = read_json(masks / "evaluation/metrics.json")
    student = metrics["decisions"]["student"]
    assert student["uncertainty"]["wrong"] > 0
    assert student["selective"]["of"] == "dice"
    page = (masks / "evaluation/report.html").read_text()
    for said in (
        "Prediction sets: pixels of one image are not independent.",
        "Threshold: a mask takes the most probable class of each pixel.",
        "Maps of attention do not apply to masks",
        "Uncertainty of the student&#39;s mask",
        "Contains images",
    ):
        assert said in page
    mask = next((masks / "evaluation/masks").rglob("*.png"))
    with Image.open(mask) as picture:
        assert picture.size == (32, 32)


@pytest.mark.parametrize("kind", ["labels", "masks"])
def test_runs_are_compared_and_other_images_refused(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    finished: Path = request.getfixturevalue(kind)
    other = tmp_path / "other"
    shutil.copytree(finished / "evaluation", other)
    assert "other student minus run student" in compare([finished, other], out=tmp_path / "out")
    for path in other.glob("*.csv"):
        path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(DataError, match=r"other images than run .*images/phantom-"):
        compare([finished, other])


@pytest.mark.parametrize(("kind", "task"), [("labels", "lesions"), ("masks", "segmentation")])
def test_another_set_is_judged_with_everything_frozen(
    kind: str, task: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    finished: Path = request.getfixturevalue(kind)
    data = f"phantom:count=30,size=32,seed=5,task={task}"
    evaluate(finished, data=data, out=tmp_path / "out")
    metrics = read_json(tmp_path / "out/metrics.json")
    assert metrics["counts"]["images"] == 30
    first = read_json(finished / "evaluation/metrics.json")["decisions"]["student"]
    assert metrics["decisions"]["student"]["temperature"] == first["temperature"]


@pytest.mark.parametrize(("kind", "task"), [("labels", "lesions"), ("masks", "segmentation")])
def test_a_bundle_says_the_same_of_its_student_as_the_run(
    kind: str, task: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    finished: Path = request.getfixturevalue(kind)
    data = f"phantom:count=30,size=32,seed=5,task={task}"
    found = {}
    for name, model in (("run", finished), ("bundle", finished / "bundle")):
        evaluate(model, data=data, out=tmp_path / name)
        found[name] = read_json(tmp_path / name / "metrics.json")
    assert found["bundle"]["models"]["control"] is None
    whole, alone = (found[name]["models"]["student"]["overall"] for name in ("run", "bundle"))
    assert whole.keys() == alone.keys()
    for name in whole:
        assert alone[name]["estimate"] == pytest.approx(whole[name]["estimate"], abs=1e-4)
    whole, alone = (found[name]["decisions"]["student"] for name in ("run", "bundle"))
    assert alone["temperature"] == pytest.approx(whole["temperature"])
    assert alone["refusals"] == whole["refusals"] | alone["refusals"]
    assert alone["operating"] == [
        {**point, "threshold": pytest.approx(point.get("threshold"))}
        if "threshold" in point
        else point
        for point in whole["operating"]
        if point["shipped"]
    ]
    assert alone["sets"].keys() == whole["sets"].keys()
    assert alone["strange"]["false_alarms"]["estimate"] == pytest.approx(
        whole["strange"]["false_alarms"]["estimate"]
    )


def test_masks_have_no_class_to_explain(masks: Path) -> None:
    with pytest.raises(DataError, match="this run makes masks"):
        explain_images(masks, [masks])
