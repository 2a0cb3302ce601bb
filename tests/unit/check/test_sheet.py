"""Findings as files: valid JSON, and a page that needs nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from medistill.check.classes import class_findings
from medistill.check.finding import Finding
from medistill.check.sheet import write_sheets
from medistill.core.types import ImageSet
from tests.unit.check.planted import subject_of


def test_json_and_page(images: ImageSet, cache: Path, tmp_path: Path) -> None:
    names = [sample.name for sample in images.samples[:3]]
    finding = Finding(check="dim", severity="warning", text="<b> & dim", groups=[names])
    write_sheets(subject_of(images, cache=cache), [finding], tmp_path / "out")
    value = json.loads((tmp_path / "out" / "check.json").read_text())
    assert (value["layout"], value["images"]) == ("phantom", 120)
    assert value["findings"][0]["groups"] == [names]
    page = (tmp_path / "out" / "check.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert "&lt;b&gt; &amp; dim" in page
    assert "http" not in page.replace("http-equiv", "")


def test_file_that_went_away_is_a_blank(images: ImageSet, cache: Path, tmp_path: Path) -> None:
    import dataclasses

    subject = subject_of(images, cache=cache)
    gone = dataclasses.replace(images.samples[0], path=tmp_path / "gone.png")
    moved = dataclasses.replace(images, samples=(gone, *images.samples[1:]))
    finding = Finding(check="dim", severity="warning", text="dim", groups=[[gone.name]])
    write_sheets(dataclasses.replace(subject, images=moved), [finding], tmp_path)
    assert "there is no such file" in (tmp_path / "check.html").read_text()


def test_counts_of_classes_are_a_table(images: ImageSet, cache: Path, tmp_path: Path) -> None:
    subject = subject_of(images, cache=cache)
    write_sheets(subject, list(class_findings(subject)), tmp_path)
    page = (tmp_path / "check.html").read_text()
    assert page.count("<tr><td>") == len(images.classes) * len(set(subject.parts.values()))
    assert "<th>class</th>" in page
    assert "studies" not in page
