"""Budgets: small files, small functions, names that say something, a test file for each module."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.architecture.source_tree import PACKAGE, ROOT, functions, modules, relative

FILE_LINES = 300
FUNCTION_LINES = 40
# The training loop is one honest straight line.
LONGER_FUNCTIONS = {("train/loop.py", "fit"): 80}
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}

# Modules without a test file of their own (a trailing * matches any ending), and where they are
# tested instead.
TESTED_ELSEWHERE = {
    "bundle/decisions.py": "declarations only; test_schema.py takes them through JSON",
    "__main__.py": "two lines; tests/unit/test_cli.py",
    "commands/*": "options only; tests/docs and the tests of what they call run them",
    "core/types.py": "declarations only",
    "data/phantom/*": "parts of one picture; tests/unit/data/test_phantom_*.py judge the whole",
    "export/examples.py": "declarations only; export/test_fidelity.py fills them",
    "methods/method.py": "a protocol; tests/laws holds every method against it",
    "models/outputs.py": "declarations only",
    "recipe/*": "tests/unit/test_recipe.py",
    "bundle/notice.py": "one sentence",
    "bundle/trial.py": "declarations only; export/test_candidates.py fills them",
    "serve/answers.py": "declarations only; test_app.py reads them",
    "serve/prediction.py": "declarations only; test_deciding.py fills them",
    "stages/*": "the wiring; tests/recipes and tests/unit/stages run it",
    "teacher/targets.py": "a protocol; the live and the cached targets are held against it",
}

MODULES = [path for path in modules() if path.name != "__init__.py"]


@pytest.mark.parametrize("path", modules(), ids=relative)
def test_file_and_functions_are_within_budget(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= FILE_LINES, f"{relative(path)} has {lines} lines, more than {FILE_LINES}"
    for name, length in functions(path):
        allowed = LONGER_FUNCTIONS.get((relative(path), name), FUNCTION_LINES)
        assert length <= allowed, (
            f"{relative(path)}: {name} has {length} lines, more than {allowed}"
        )


@pytest.mark.parametrize("path", modules(), ids=relative)
def test_module_name_says_what_is_in_it(path: Path) -> None:
    names = set(path.relative_to(PACKAGE).with_suffix("").parts)
    assert not names & SAYS_NOTHING


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_module_has_a_unit_test_file(path: Path) -> None:
    inside = path.relative_to(PACKAGE)
    mirrored = ROOT / "tests" / "unit" / inside.parent / f"test_{inside.name}"
    elsewhere = any(fnmatchcase(relative(path), pattern) for pattern in TESTED_ELSEWHERE)
    assert mirrored.is_file() or elsewhere, f"{mirrored.relative_to(ROOT)} is missing"


def test_exceptions_are_still_needed() -> None:
    for pattern in TESTED_ELSEWHERE:
        assert any(fnmatchcase(relative(path), pattern) for path in MODULES), f"{pattern}: gone"
