"""The examples in docstrings run and give what they show."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.documents import ROOT, name_of

OURS = [
    *ROOT.glob("src/medistill/**/*.py"),
    *ROOT.glob("tools/*.py"),
    *ROOT.glob("benchmarks/*.py"),
]
WITH_EXAMPLES = sorted(p for p in OURS if ">>> " in p.read_text(encoding="utf-8"))


def imported(path: Path) -> ModuleType:
    base = ROOT / "src"
    inside = path.relative_to(base if path.is_relative_to(base) else ROOT)
    return import_module(".".join(inside.with_suffix("").parts).removesuffix(".__init__"))


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=name_of)
def test_examples_hold(path: Path) -> None:
    outcome = doctest.testmod(imported(path), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert outcome.attempted
    assert not outcome.failed
