"""Proposed parts cut no group and no copy, and are a table that can be trained on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.check.copies import copy_findings, near_findings, united
from medistill.check.quality import quality_findings
from medistill.check.repair import proposed, write_proposal
from medistill.core.types import ImageSet, Sample
from medistill.data.layouts import read_data
from tests.unit.check.planted import as_jpeg, subject_of, with_samples
from tests.unit.imaging.dicom_files import save


def test_proposal_repairs_the_leak(images: ImageSet, tmp_path: Path) -> None:
    extra = []
    for row in range(0, 30, 3):
        old = images.samples[row]
        path = tmp_path / f"copy-{row}.png"
        with Image.open(old.path) as image:
            as_jpeg(image.convert("L"), 80).save(path)
        extra.append(Sample(path=path, name=path.name, label=old.label, group=path.name))
    subject = subject_of(with_samples(images, extra))
    found = proposed(subject)
    assert set(found) == {sample.name for sample in subject.readable}
    repaired = dataclasses.replace(subject, parts={n: part for n, (_, part) in found.items()})
    checks = {f.check for f in (*copy_findings(repaired), *near_findings(repaired))}
    assert not checks & {"exact-copies-across-parts", "near-copies-across-parts"}
    parts: dict[str, set[str]] = {}
    for name, group in united(subject).items():
        parts.setdefault(group, set()).add(found[name][1])
    assert all(len(held) == 1 for held in parts.values())


def test_proposal_is_a_table(images: ImageSet, cache: Path, tmp_path: Path) -> None:
    assert write_proposal(subject_of(images, cache=cache), tmp_path / "parts.csv") is None
    table = read_data(tmp_path / "parts.csv", cache=tmp_path)
    assert (table.name, len(table.samples)) == ("table", len(images.samples))
    assert {sample.split for sample in table.samples} == {"train", "val", "test"}


def _as_labels(images: ImageSet, classes: tuple[str, ...], *, unknown: bool) -> ImageSet:
    """The set with two labels an image, and a patient, a sex and an age each."""
    samples = []
    for row, sample in enumerate(images.samples):
        values = (float(row % 2), float(row % 3 == 0))
        masked = tuple(
            np.nan if unknown and (row + k) % 5 == 0 else v for k, v in enumerate(values)
        )
        held = {"sex": "FM"[row % 2], "age": str(20 + row % 50)}
        samples.append(
            dataclasses.replace(sample, label=masked, group=f"p{row // 2}", attributes=held)
        )
    return dataclasses.replace(
        images,
        task="multi-label",
        classes=classes,
        samples=tuple(samples),
        group_word="patient",
    )


def _read_again(images: ImageSet, cache: Path, folder: Path) -> ImageSet:
    assert write_proposal(subject_of(images, cache=cache), folder / "parts.csv") is None
    return read_data(folder / "parts.csv", cache=folder)


def _known(images: ImageSet) -> dict[Path, tuple[object, ...]]:
    """What a training needs of each image, by file."""
    return {
        sample.path.resolve(): (
            tuple(np.nan_to_num(np.atleast_1d(np.array(sample.label, float)), nan=-1)),
            sample.group,
            dict(sample.attributes),
        )
        for sample in images.samples
    }


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("classes", [("effusion", "edema"), ("Edema", "Effusion")])
def test_several_labels_come_back(
    images: ImageSet, cache: Path, tmp_path: Path, classes: tuple[str, ...], unknown: bool
) -> None:
    given = _as_labels(images, classes, unknown=unknown)
    table = _read_again(given, cache, tmp_path)
    small = tuple(name.lower() for name in classes)
    assert table.classes == (small if unknown else classes)
    assert (table.task, table.group_word) == ("multi-label", "patient")
    assert _known(table) == _known(given)
    blanks = sum(np.isnan(s.label).any() for s in table.samples if isinstance(s.label, tuple))
    assert (blanks > 0) == unknown


def test_one_label_an_image_comes_back(images: ImageSet, cache: Path, tmp_path: Path) -> None:
    samples = (
        dataclasses.replace(sample, group=f"s{row // 2}", attributes={"smoker": str(row % 2)})
        for row, sample in enumerate(images.samples)
    )
    given = dataclasses.replace(images, samples=tuple(samples), group_word="study")
    table = _read_again(given, cache, tmp_path)
    assert (table.task, table.group_word) == ("single-label", "group")
    assert set(table.classes) == set(given.classes)
    words = {s.path.resolve(): given.classes[int(str(s.label))] for s in given.samples}
    assert {s.path: table.classes[int(str(s.label))] for s in table.samples} == words
    assert {p: held[1:] for p, held in _known(table).items()} == {
        p: held[1:] for p, held in _known(given).items()
    }


@pytest.mark.parametrize("unknown", [False, True])
def test_an_attribute_of_ones_is_never_read_as_a_class(
    images: ImageSet, cache: Path, tmp_path: Path, unknown: bool
) -> None:
    given = _as_labels(images, ("edema", "effusion"), unknown=unknown)
    samples = (
        dataclasses.replace(s, attributes={**s.attributes, "smoker": str(row % 2)})
        for row, s in enumerate(given.samples)
    )
    table = _read_again(dataclasses.replace(given, samples=tuple(samples)), cache, tmp_path)
    assert table.classes == given.classes
    assert ("smoker" in table.samples[0].attributes) == (not unknown)


def test_a_class_that_no_image_has_is_left_out(
    images: ImageSet, cache: Path, tmp_path: Path
) -> None:
    given = _as_labels(images, ("edema", "effusion"), unknown=True)
    samples = (
        dataclasses.replace(s, label=(*s.label, 0.0))
        for s in given.samples
        if isinstance(s.label, tuple)
    )
    wide = dataclasses.replace(
        given, samples=tuple(samples), classes=("edema", "effusion", "hernia")
    )
    table = _read_again(wide, cache, tmp_path)
    assert table.classes == ("edema", "effusion")
    assert "hernia" not in table.samples[0].attributes


def test_too_few_groups_say_why(images: ImageSet, cache: Path, tmp_path: Path) -> None:
    few = dataclasses.replace(images, samples=images.samples[:4])
    why = write_proposal(subject_of(few, cache=cache), tmp_path / "parts.csv")
    assert why is not None
    assert not (tmp_path / "parts.csv").exists()


def _with_masks(images: ImageSet, folder: Path) -> ImageSet:
    """The set with a mask and a smoker's 0 or 1 for each image."""
    samples = []
    for row, sample in enumerate(images.samples):
        mask = folder / f"{row}.png"
        Image.fromarray(np.full((64, 64), row % 3, np.uint8)).save(mask)
        label = (1.0, float(row % 3 == 1), float(row % 3 == 2))
        held = {"smoker": str(row % 2), "mask": "drawn"}
        samples.append(dataclasses.replace(sample, label=label, mask=mask, attributes=held))
    classes = ("background", "class-1", "class-2")
    return dataclasses.replace(images, task="segmentation", classes=classes, samples=(*samples,))


def test_masks_come_back(images: ImageSet, cache: Path, tmp_path: Path) -> None:
    given = _with_masks(images, tmp_path)
    table = _read_again(given, cache, tmp_path)
    assert (table.task, table.classes) == ("segmentation", given.classes)
    masks = {sample.path.resolve(): sample.mask for sample in given.samples}
    assert {sample.path: sample.mask for sample in table.samples} == masks
    assert {s.split for s in table.samples} == {"train", "val", "test"}
    assert all(set(s.attributes) == {"smoker"} for s in table.samples)


def test_a_volume_is_one_row(images: ImageSet, cache: Path, tmp_path: Path) -> None:
    """Every four images stand for the slices of a volume, whose file has no ending of its own."""
    samples = []
    for row, sample in enumerate(_with_masks(images, tmp_path).samples):
        path = tmp_path / "volumes" / f"{row // 4}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        if row % 4 == 0:
            (tmp_path / f"object{row // 4}").touch()
            path.symlink_to(tmp_path / f"object{row // 4}")
        samples.append(
            dataclasses.replace(sample, path=path, frame=row % 4, group=path.name, attributes={})
        )
    subject = subject_of(_with_masks(images, tmp_path), cache=cache)
    sliced = dataclasses.replace(subject.images, samples=tuple(samples))
    assert write_proposal(dataclasses.replace(subject, images=sliced), tmp_path / "p.csv") is None
    lines = (tmp_path / "p.csv").read_text().splitlines()
    assert lines[0] == "path,mask,patient,split"
    listed = [Path(line.split(",")[0]) for line in lines[1:]]
    assert len(listed) == len(set(listed)) == len({s.path for s in samples})
    assert set(listed) == {s.path.parent.resolve() / s.path.name for s in samples}


def test_no_readable_image_is_said_as_such(images: ImageSet, tmp_path: Path) -> None:
    gone = tuple(
        dataclasses.replace(s, path=tmp_path / "gone" / s.path.name) for s in images.samples[:3]
    )
    subject = subject_of(dataclasses.replace(images, samples=gone))
    assert write_proposal(subject, tmp_path / "parts.csv") == "no image can be read"
    (finding,) = (f for f in quality_findings(subject) if f.check == "unreadable")
    assert "a table's paths begin at its own folder" in finding.cure


@pytest.mark.parametrize("mark", ["|", ";"])
def test_a_class_that_a_table_would_take_for_several_is_said(
    images: ImageSet, cache: Path, tmp_path: Path, mark: str
) -> None:
    given = dataclasses.replace(images, classes=(images.classes[0], f"one{mark}two"))
    why = write_proposal(subject_of(given, cache=cache), tmp_path / "parts.csv")
    assert why == f"in a table the class 'one{mark}two' would be several"
    assert not (tmp_path / "parts.csv").exists()


def test_names_that_hold_a_comma_come_back(images: ImageSet, cache: Path, tmp_path: Path) -> None:
    given = _as_labels(images, ("Mass, large", "Edema"), unknown=False)
    table = _read_again(given, cache, tmp_path)
    assert table.classes == ("mass, large", "edema")
    assert _known(table) == _known(given)


def test_proposal_names_the_frames_of_a_file(cache: Path, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    lines = ["path,frame,label"]
    for patient in range(12):
        pixels = draw.integers(0, 255, (32, 16), dtype=np.uint8)
        shape = {"Rows": 16, "Columns": 16, "NumberOfFrames": "2"}
        save(tmp_path / f"{patient}.dcm", pixels, PatientID=f"p{patient}", **shape)
        lines += [f"{patient}.dcm,{frame},{'ab'[patient % 2]}" for frame in range(2)]
    (tmp_path / "list.csv").write_text("\n".join(lines))
    images = read_data(tmp_path / "list.csv", cache=tmp_path)
    again = _read_again(images, cache, tmp_path)
    assert len(again.samples) == 24
    before = {(s.path.name, s.frame): (s.label, s.group) for s in images.samples}
    assert {(s.path.name, s.frame): (s.label, s.group) for s in again.samples} == before
    parts: dict[str, set[str | None]] = {}
    for sample in again.samples:
        parts.setdefault(sample.group, set()).add(sample.split)
    assert all(len(held) == 1 for held in parts.values())
