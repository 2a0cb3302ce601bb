"""Clean sets are silent; a fatal finding stops until it is allowed by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from medistill.check.examine import FATAL_NAMES, examine, refuse_fatal
from medistill.check.finding import Finding
from medistill.core.errors import DataError, UnknownNameError
from medistill.core.types import ImageSet
from tests.unit.check.planted import clean, subject_of


def _grave(images: ImageSet, cache: Path | None = None) -> list[str]:
    found = examine(subject_of(images, cache=cache))
    return [f"{f.check}: {f.text}" for f in found if f.severity != "note"]


def test_clean_set_is_silent(images: ImageSet, cache: Path) -> None:
    assert _grave(images, cache) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
def test_twenty_clean_sets_are_silent(tmp_path: Path, seed: int) -> None:
    assert _grave(clean(tmp_path, seed)) == []


def test_fatal_findings_stop_until_they_are_allowed() -> None:
    fatal = Finding(check="unreadable", severity="fatal", text="3 images cannot be read")
    mild = Finding(check="dim", severity="warning", text="dim")
    with pytest.raises(DataError, match=r"read \[unreadable\].*data.allow=\[unreadable\]"):
        refuse_fatal([fatal, mild], where="set", allow=())
    refuse_fatal([fatal, mild], where="set", allow=("unreadable",))
    refuse_fatal([mild], where="set", allow=())
    with pytest.raises(UnknownNameError, match="Did you mean 'unreadable'"):
        refuse_fatal([], where="set", allow=("unreadble",))
    assert "unreadable" in FATAL_NAMES
