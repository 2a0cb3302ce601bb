"""Phantoms as a folder: written once, whole or not at all, and read as an image set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError, UnknownNameError
from medistill.core.files import temporary_beside
from medistill.data.phantom import LESIONS, TASKS, dataset, draw_phantom, read_phantom


def test_the_set_holds_what_was_drawn(tmp_path: Path) -> None:
    images = read_phantom(tmp_path, count=6, size=48, seed=2)
    assert (images.name, images.task, images.classes) == (
        "phantom",
        "single-label",
        ("normal", "lesion"),
    )
    assert images.group_word == "patient"
    assert [sample.group for sample in images.samples] == [f"phantom-{i:06d}" for i in range(6)]
    assert [s.name for s in images.samples] == sorted(s.name for s in images.samples)
    for index, sample in enumerate(images.samples):
        drawn = draw_phantom(index=index, seed=2, size=48)
        with Image.open(sample.path) as picture:
            assert picture.mode == "L"
            np.testing.assert_array_equal(np.asarray(picture), drawn.pixels)
        assert sample.label == int(bool(drawn.lesions))
        assert sample.mask is not None
        with Image.open(sample.mask) as picture:
            assert (np.asarray(picture) > 0).any() == bool(drawn.lesions)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_labels_agree_with_masks_in_every_task(tmp_path: Path, task: str) -> None:
    images = read_phantom(tmp_path, count=8, size=48, task=task)
    for index, sample in enumerate(images.samples):
        present = draw_phantom(index=index, seed=0, size=48, task=task).lesions
        if task == "lesion":
            assert sample.label == int(bool(present))
        elif task == "lesion-type":
            assert images.classes[sample.label] == next(iter(present), "normal")  # type: ignore[index]
        else:
            names = [c for c in images.classes if c != "background"]
            assert isinstance(sample.label, tuple)
            assert sample.label[-3:] == tuple(float(name in present) for name in names)
            assert len(sample.label) == len(images.classes)


def test_mask_values_are_the_classes(tmp_path: Path) -> None:
    images = read_phantom(tmp_path, count=6, size=64, task="segmentation")
    for index, sample in enumerate(images.samples):
        drawn = draw_phantom(index=index, seed=0, size=64, task="segmentation")
        assert sample.mask is not None
        values = np.asarray(Image.open(sample.mask))
        top = drawn.masks[LESIONS[2]]
        assert (values[top] == images.classes.index("nodule")).all()
        assert not values[~np.logical_or.reduce([drawn.masks[k] for k in LESIONS])].any()


def test_drawing_happens_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_phantom(tmp_path, count=3, size=48)
    monkeypatch.setattr(dataset, "draw_phantom", None)
    assert read_phantom(tmp_path, count=3, size=48) == first


@pytest.mark.parametrize(
    "other", [{"count": 4}, {"size": 40}, {"seed": 1}, {"start": 1}, {"task": "lesions"}]
)
def test_other_arguments_go_to_another_folder(tmp_path: Path, other: dict[str, int | str]) -> None:
    asked = {"count": 3, "size": 48, "seed": 0, "start": 0, "task": "lesion"}
    one = read_phantom(tmp_path, **asked)  # type: ignore[arg-type]
    assert read_phantom(tmp_path, **{**asked, **other}).root != one.root  # type: ignore[arg-type]


def test_a_later_start_is_the_tail_of_a_longer_set(tmp_path: Path) -> None:
    whole = read_phantom(tmp_path, count=5, size=48)
    tail = read_phantom(tmp_path, count=2, size=48, start=3)
    assert [s.group for s in tail.samples] == [s.group for s in whole.samples[3:]]
    for one, other in zip(whole.samples[3:], tail.samples, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()
        assert one.label == other.label


def test_an_interrupted_drawing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def fails(*, index: int, **rest: object) -> None:
        calls.append(index)
        if index == 2:
            raise KeyboardInterrupt
        return draw_phantom(index=index, **rest)  # type: ignore[arg-type, return-value]

    monkeypatch.setattr(dataset, "draw_phantom", fails)
    with pytest.raises(KeyboardInterrupt):
        read_phantom(tmp_path, count=4, size=48)
    assert calls == [0, 1, 2]
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    assert len(read_phantom(tmp_path, count=4, size=48).samples) == 4


def test_a_killed_drawing_of_the_same_process_number_is_no_hindrance(tmp_path: Path) -> None:
    folder = read_phantom(tmp_path / "once", count=2, size=32).root
    begun = temporary_beside(tmp_path / "again" / folder.name) / "images"
    begun.mkdir(parents=True)
    (begun / "phantom-000009.png").write_bytes(b"torn")
    again = read_phantom(tmp_path / "again", count=2, size=32).root
    assert [path.name for path in again.parent.iterdir()] == [folder.name]
    names = {path.relative_to(folder) for path in folder.rglob("*")}
    assert {path.relative_to(again) for path in again.rglob("*")} == names


def test_the_table_of_labels_is_that_of_the_set(tmp_path: Path) -> None:
    images = read_phantom(tmp_path, count=4, size=48, task="lesion-type")
    rows = (images.root / "labels.csv").read_text().splitlines()
    assert rows[0] == "path,label,patient,mask"
    for row, sample in zip(rows[1:], images.samples, strict=True):
        path, label, patient, mask = row.split(",")
        assert images.root / path == sample.path
        assert label == images.classes[sample.label]  # type: ignore[index]
        assert patient == sample.group
        assert images.root / mask == sample.mask


def test_bad_arguments_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="count is 0. Ask for at least 1 slice"):
        read_phantom(tmp_path, count=0)
    with pytest.raises(UnknownNameError, match="Did you mean 'segmentation'"):
        read_phantom(tmp_path, count=1, task="segmentaton")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written here"):
        read_phantom(tmp_path / "file", count=1)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_any_number_of_workers_draws_the_same_files(tmp_path: Path) -> None:
    folders = [
        read_phantom(tmp_path / str(workers), count=5, size=32, workers=workers).root
        for workers in (0, 2)
    ]
    files = [sorted(path for path in root.rglob("*") if path.is_file()) for root in folders]
    assert len(files[0]) == 11
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
