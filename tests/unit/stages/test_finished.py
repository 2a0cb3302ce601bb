"""What reads a finished run: it trains nothing, and refuses models of other values than it says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from medistill.core.errors import RecipeError, RunFolderError
from medistill.core.files import read_json
from medistill.core.run_folder import RECIPE
from medistill.stages.bench_networks import network_rows
from medistill.stages.context import SilentReporter
from medistill.stages.external import evaluate
from medistill.stages.finished import finished_data
from medistill.stages.gate_trial import try_gate
from medistill.stages.overlays import explain_images
from medistill.stages.run import distill, export, open_run, run, teach, verify_targets
from tests.unit.stages.conftest import SMALL


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "run")


def rewrite(path: Path, change: Callable[[Any], object]) -> None:
    """Change a JSON or YAML document in place."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def open_again(run: Path) -> None:
    finished_data(open_run(run))


def test_a_student_is_not_exported_under_a_recipe_that_it_was_not_trained_with(copy: Path) -> None:
    before = (copy / "bundle/bundle.json").read_bytes()
    teach("demo", out=copy, overrides=(*SMALL, "train.lr=0.02"))
    words = r"the stage 'seed-0/student' was finished before train\.lr changed\. 'medistill run "
    with pytest.raises(RunFolderError, match=words) as caught:
        export(copy)
    assert f"run {copy / RECIPE} --out {copy}' makes it anew." in caught.value.cure
    assert (copy / "bundle/bundle.json").read_bytes() == before


def test_a_student_of_an_earlier_teacher_is_not_exported(copy: Path) -> None:
    teach("demo", out=copy, overrides=(*SMALL, "teacher.fit.lr=0.02"))
    with pytest.raises(RunFolderError, match="'seed-0/student' was finished before its teacher ch"):
        export(copy)


@pytest.mark.parametrize(
    ("block", "values", "words"),
    [
        ("data", {"window": "bone"}, r"'data' was finished before data\.window changed"),
        ("teacher", {"members": 3}, r"'teacher' was finished before teacher\.members changed"),
        ("views", {"flip": False}, r"'teacher' was finished before views\.flip changed"),
        ("control", {"lr": 0.1}, r"'seed-0/control' was finished before train\.lr changed"),
        ("student", {"width": 32}, r"'seed-0/student' was finished before student\.width changed"),
    ],
)
def test_every_value_that_a_model_was_made_by_counts(
    copy: Path, block: str, values: dict[str, Any], words: str
) -> None:
    open_again(copy)
    rewrite(copy / RECIPE, lambda recipe: recipe[block].update(values))
    with pytest.raises(RunFolderError, match=words):
        open_again(copy)


@pytest.mark.parametrize(
    "read",
    [
        lambda run: evaluate(run, data="phantom:count=8,size=32", out=run.parent / "out"),
        lambda run: explain_images(run, [run], out=run.parent / "out"),
        lambda run: try_gate(run, reporter=SilentReporter()),
        lambda run: network_rows(run, threads=1, memory_bytes=None, runs=1),
        lambda run: verify_targets(run, sample=1),
    ],
)
def test_no_reader_takes_a_model_for_another(copy: Path, read: Callable[[Path], object]) -> None:
    rewrite(copy / RECIPE, lambda recipe: recipe["data"].update(window="bone"))
    with pytest.raises(RunFolderError, match=r"before data\.window changed"):
        read(copy)


def test_first_weights_count_as_long_as_they_can_be_told(copy: Path) -> None:
    rewrite(copy / RECIPE, lambda recipe: recipe.update(student_weights="published"))
    with pytest.raises(RunFolderError, match="before its first weights changed"):
        open_again(copy)
    rewrite(copy / RECIPE, lambda recipe: recipe.update(student_weights="gone.safetensors"))
    open_again(copy)


def test_images_that_changed_since_are_not_read_again(copy: Path) -> None:
    rewrite(copy / "data/manifest.json", lambda made: made["inputs"].update(source="another"))
    before = (copy / "data/images.json").stat().st_mtime_ns
    export(copy)
    assert (copy / "data/images.json").stat().st_mtime_ns == before
    assert read_json(copy / "data/manifest.json")["inputs"]["source"] == "another"


def test_a_run_that_was_moved_finds_the_images_that_it_drew(copy: Path) -> None:
    moved = copy.rename(copy.with_name("moved"))
    prepared = finished_data(open_run(moved))
    samples = prepared.images.samples
    assert prepared.images.root.is_relative_to(moved)
    assert all(sample.path.is_relative_to(moved) for sample in samples)
    masks = [sample.mask for sample in samples if sample.mask is not None]
    assert masks
    assert all(mask.is_relative_to(moved) and mask.is_file() for mask in masks)


def test_what_an_earlier_version_did_not_note_is_not_missed(copy: Path) -> None:
    for role in ("student", "control"):
        path = copy / f"seed-0/{role}/manifest.json"
        rewrite(path, lambda made: made["inputs"]["views"].pop("fit"))
        rewrite(path, lambda made: made["outputs"].pop("teacher_before", None))
    open_again(copy)


def test_a_recipe_that_is_no_longer_trained_by_can_be_read(copy: Path) -> None:
    rewrite(copy / RECIPE, lambda recipe: recipe["train"].update(patience=3))
    for role in ("student", "control"):
        path = copy / f"seed-0/{role}/manifest.json"
        rewrite(path, lambda made: made["inputs"]["train"].update(patience=3))
    open_again(copy)
    with pytest.raises(RecipeError, match=r"train\.patience: it would end the student"):
        distill(copy)


@pytest.mark.parametrize("stage", ["data", "teacher", "seed-0/student"])
def test_a_stage_that_is_missing_is_named(copy: Path, stage: str) -> None:
    shutil.rmtree(copy / stage)
    with pytest.raises(RunFolderError, match=f"the stage '{stage}' has not been finished"):
        explain_images(copy, [copy], out=copy / "out")


@pytest.mark.parametrize("damage", [b"", b"data: [1,\n", b"name: \xff\n"])
def test_a_damaged_recipe_is_named(copy: Path, damage: bytes) -> None:
    (copy / RECIPE).write_bytes(damage)
    with pytest.raises(RecipeError, match=r"recipe\.yaml: (is not valid YAML|holds no mapping)"):
        export(copy)


@pytest.mark.parametrize(
    "file",
    [
        "data/parts.json",
        "data/store/pixels.bin",
        "teacher/member-1.safetensors",
        "teacher/manifest.json",
        "seed-0/student/weights.safetensors",
        "evaluation/metrics.json",
        "evaluation/report.html",
    ],
)
def test_a_stage_that_was_damaged_since_is_named_and_made_again(copy: Path, file: str) -> None:
    content = (copy / file).read_bytes()
    weights = {path: path.read_bytes() for path in copy.rglob("*.safetensors")}
    (copy / file).write_bytes(content[: len(content) // 2])
    if not file.startswith("evaluation"):
        with pytest.raises(RunFolderError, match=r"instead of|has not been finished"):
            explain_images(copy, [copy], out=copy / "out")
    if file.endswith(".html"):  # the export writes into it, so that only its absence is told
        (copy / file).unlink()
    run("demo", out=copy, overrides=SMALL)
    if file.endswith(("manifest.json", "metrics.json", "report.html")):  # times and speeds
        assert (copy / file).stat().st_size > len(content) // 2
    else:
        assert (copy / file).read_bytes() == content
    assert {path: path.read_bytes() for path in copy.rglob("*.safetensors")} == weights
