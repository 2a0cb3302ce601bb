"""Images that the teacher was fitted on are found by content, whatever they are called."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from medistill.check.facts import Facts
from medistill.check.memory import memory_findings
from medistill.check.subject import Subject
from tests.unit.check.planted import named
from tests.unit.data.pictures import labelled_set


def _subject(seen: int, part: str | None) -> Subject:
    images = labelled_set([0, 1] * 10)
    facts = {s.name: Facts(stored=f"hash {n}") for n, s in enumerate(images.samples)}
    parts = {} if part is None else {s.name: part for s in images.samples}
    fitted = frozenset(f"hash {n}" for n in range(seen)) | {"another"}
    return Subject(images=images, facts=facts, parts=parts, fitted_on=fitted)


@pytest.mark.parametrize("seen", [1, 5, 20])
@pytest.mark.parametrize("part", [None, "test"])
def test_judged_images_that_the_teacher_saw(seen: int, part: str | None) -> None:
    found = named(list(memory_findings(_subject(seen, part))), "teacher-saw-these")
    assert found is not None
    assert (found.severity, found.figures["images"]) == ("fatal", seen)


def test_training_images_may_be_known() -> None:
    found = list(memory_findings(_subject(5, "train")))
    assert [finding.check for finding in found] == ["teacher-fitted-on"]
    assert found[0].figures == {"fitted_on": 6, "seen": 5}


def test_no_teacher_says_nothing(tmp_path: Path) -> None:
    assert list(memory_findings(dataclasses.replace(_subject(5, None), fitted_on=None))) == []
