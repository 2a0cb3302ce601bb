"""Images without labels that tell of what a fold holds out are never learnt from."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from medistill.core.files import sha256_json
from medistill.core.run_folder import RunFolder
from medistill.core.types import Parts
from medistill.stages import teacher_base
from medistill.stages.context import Context, SilentReporter
from medistill.stages.data import Prepared, open_data, prepare_data
from medistill.stages.run import open_recipe
from medistill.stages.targets import distil_rows
from medistill.stages.unlabelled import usable_unlabelled
from tests.unit.check.planted import as_jpeg
from tests.unit.data.pictures import labelled_set, smooth_picture

PATIENTS, TESTED = 60, 12
CHANGES = ("data.layout=null", "data.workers=0", "data.stored_size=64")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of every patient two images with a label and one without; the first patients are the test."""
    root = tmp_path_factory.mktemp("table")
    with (root / "images.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label", "patient", "split"])
        for number in range(3 * PATIENTS):
            patient, kind = divmod(number, 3)
            smooth_picture(number, 64).save(root / f"{number:03}.png")
            label = "unlabelled" if kind == 2 else ("ill" if patient % 2 else "well")
            split = "test" if patient < TESTED and kind < 2 else ""
            writer.writerow([f"{number:03}.png", label, f"p{patient}", split])
    return root / "images.csv"


@pytest.fixture(scope="module")
def others(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of nobody, near copies of a test and of a train image, a test image itself."""
    root = tmp_path_factory.mktemp("others")
    smooth_picture(9999, 64).save(root / "stranger.png")
    as_jpeg(smooth_picture(0, 64), 80).save(root / "near-test.png")
    as_jpeg(smooth_picture(3 * TESTED, 64), 80).save(root / "near-train.png")
    smooth_picture(1, 64).save(root / "test.bmp")
    return root


def prepared_of(table: Path, run: Path, *changes: str) -> Prepared:
    recipe = open_recipe("demo", data=table, overrides=(*CHANGES, *changes))
    return prepare_data(Context(recipe, RunFolder(run), SilentReporter()))


def held_groups(prepared: Prepared, fold: int) -> set[str]:
    parts = prepared.parts[fold]
    rows = (*parts.select, *parts.calibrate, *parts.evaluate)
    return {prepared.images.samples[row].group for row in rows}


def test_no_group_that_is_held_out_is_learnt_from(table: Path, tmp_path: Path) -> None:
    prepared = prepared_of(table, tmp_path / "run", "data.unlabelled=null")
    samples, held = prepared.images.samples, held_groups(prepared, 0)
    assert len(prepared.parts[0].evaluate) == 2 * TESTED
    rows = prepared.unlabelled[0].rows
    assert {samples[row].group for row in distil_rows(prepared, 0)} & held == set()
    # Every other image without a label is used: one of each patient in *fit*.
    assert len(rows) == PATIENTS - len(held)
    sentence = prepared.unlabelled[0].sentence("")
    lost = f"{len(held)} unlabelled images: {len(held)} whose patient is in select, calibrate"
    assert sentence == f"Left out: {lost} or evaluate."
    # Nothing labelled was left out, whatever the published split says of images without labels.
    assert prepared.removed == 0


def test_each_fold_holds_out_its_own_groups(table: Path, tmp_path: Path) -> None:
    prepared = prepared_of(table, tmp_path / "run", "data.unlabelled=null", "data.folds=3")
    samples = prepared.images.samples
    for fold in range(3):
        seen = {samples[row].group for row in distil_rows(prepared, fold)}
        assert seen & held_groups(prepared, fold) == set()
        assert len(prepared.unlabelled[fold].rows) == PATIENTS - len(held_groups(prepared, fold))
    assert len({unlabelled.rows for unlabelled in prepared.unlabelled.values()}) == 3


def test_copies_of_what_is_held_out_are_left_out(table: Path, others: Path, tmp_path: Path) -> None:
    prepared = prepared_of(table, tmp_path / "run", f"data.unlabelled={others}")
    used = {prepared.images.samples[row].name for row in prepared.unlabelled[0].rows}
    assert {name for name in used if name.startswith("unlabelled/")} == {
        "unlabelled/stranger.png",
        "unlabelled/near-train.png",
    }
    left_out = prepared.unlabelled[0].left_out
    assert left_out["copied from an image in select, calibrate or evaluate"] == 1
    assert left_out["equal to labelled ones"] == 1


def test_a_stage_that_never_looked_for_copies_is_made_again_with_the_same_rows(
    table: Path, others: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    before = prepared_of(table, run, f"data.unlabelled={others}")
    saved = json.loads((run / "data/parts.json").read_text())
    assert len(saved.pop("copies")) == 3
    (run / "data/parts.json").write_text(json.dumps(saved))
    assert len(open_data(run / "data").unlabelled[0].rows) == len(before.unlabelled[0].rows) + 1
    after = prepared_of(table, run, f"data.unlabelled={others}")
    assert after.unlabelled == before.unlabelled
    assert after.parts == before.parts
    assert after.store.data_hash == before.store.data_hash


def test_published_splits_and_equal_pixels_are_left_out() -> None:
    images = labelled_set(
        [0, 1, 0, 1, None, None, None, None, None],
        splits=["train"] * 4 + ["train", "val", "test", None, None],
    )
    hashes = [*"abcdefgh", "a"]
    parts = Parts(fit=(0,), select=(1,), calibrate=(2,), evaluate=(3,))
    found = usable_unlabelled(images, hashes, parts, {})
    assert found.rows == (4, 7)
    assert found.left_out == {"of a published val or test": 2, "equal to labelled ones": 1}
    words = "2 of a published val or test, 1 equal to labelled ones"
    assert found.sentence(" of fold 1") == f"Left out of fold 1: 3 unlabelled images: {words}."
    # A copy matters where its original is held out, and only there.
    copies = {4: [0], 7: [0, 2]}
    assert usable_unlabelled(images, hashes, parts, copies).rows == (4,)
    nothing = dataclasses.replace(images, samples=images.samples[:4])
    assert usable_unlabelled(nothing, hashes[:4], parts, {}).sentence("") is None


def test_a_set_without_overlaps_keeps_its_rows(finished: Path) -> None:
    prepared = open_data(finished / "data")
    rows = [row for row, s in enumerate(prepared.images.samples) if s.label is None]
    assert prepared.unlabelled[0].rows == tuple(rows)
    stages = json.loads((finished / "seed-0/student/manifest.json").read_text())
    parts = prepared.parts[0]
    assert stages["inputs"]["rows"] == sha256_json([[*parts.fit, *rows], parts.select])


def test_a_teacher_before_labels_learns_from_what_each_fold_may_use(
    table: Path, others: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: list[set[int]] = []

    def train(
        context: Context, prepared: Prepared, rows: Sequence[int], scope: str, folder: Path
    ) -> None:
        learnt.append(set(rows))
        (folder / teacher_base.WEIGHTS).touch()

    monkeypatch.setattr(teacher_base, "_predistil", train)
    changes = (f"data.path={table}", f"data.unlabelled={others}", "data.folds=3", *CHANGES)
    context = Context(
        open_recipe("kdvit-small", overrides=changes), RunFolder(tmp_path), SilentReporter()
    )
    prepared = prepare_data(context)
    files = {teacher_base.predistil(context, prepared, fold) for fold in range(3)}
    assert files == {tmp_path / f"fold-{k}/teacher-base/weights.safetensors" for k in range(3)}
    for fold, rows in enumerate(learnt):
        groups = {prepared.images.samples[row].group for row in rows}
        assert groups & held_groups(prepared, fold) == set()
    # Once for all where all may use the same.
    same = dataclasses.replace(prepared, unlabelled=dict.fromkeys(range(3), prepared.unlabelled[0]))
    for fold in range(3):
        found = teacher_base.predistil(context, same, fold)
        assert found == tmp_path / "teacher-base/weights.safetensors"
    assert len(learnt) == 4
