"""Proposed parts cut no group and no copy, and are a table that can be trained on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from PIL import Image

from medistill.check.copies import copy_findings, near_findings, united
from medistill.check.repair import proposed, write_proposal
from medistill.core.types import ImageSet, Sample
from medistill.data.layouts import read_data
from tests.unit.check.planted import as_jpeg, subject_of, with_samples


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


def test_too_few_groups_say_why(images: ImageSet, cache: Path, tmp_path: Path) -> None:
    few = dataclasses.replace(images, samples=images.samples[:4])
    why = write_proposal(subject_of(few, cache=cache), tmp_path / "parts.csv")
    assert why is not None
    assert not (tmp_path / "parts.csv").exists()
