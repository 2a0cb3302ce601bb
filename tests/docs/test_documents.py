"""What the documents tell people to type exists, and their links lead somewhere."""

from __future__ import annotations

import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.documents import DOCUMENTS, ROOT, commands, links, name_of

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
COMMANDS = [(path, words) for path in DOCUMENTS for words in commands(path)]
# Programs that need no check of ours, because they are not ours.
FOREIGN = {".", "cd", "git", "source", "export", "unzip"}


def check_make(words: list[str]) -> None:
    for word in words[1:]:
        assert "=" in word or word in TARGETS, f"make has no target '{word}'"


def check_pip(words: list[str]) -> None:
    for extra in re.findall(r"(?:medistill|\.)\[([\w,]+)\]", " ".join(words)):
        assert set(extra.split(",")) <= set(PROJECT["optional-dependencies"])


def check_python(words: list[str]) -> None:
    if words[1:2] == ["-m"]:
        assert find_spec(words[2]), f"no module {words[2]}"
        return
    assert (ROOT / words[1]).is_file(), f"no script {words[1]}"


def check_medistill(words: list[str]) -> None:
    command_line = pytest.importorskip("medistill.cli", reason="no command line yet")
    from typer.main import get_command

    group = get_command(command_line.app)
    known = getattr(group, "commands", {})
    if words[1].startswith("-"):
        return
    assert words[1] in known, f"medistill has no command '{words[1]}'"
    options = {name for item in known[words[1]].params for name in item.opts} | {"--help"}
    for word in words[2:]:
        assert not word.startswith("--") or word.partition("=")[0] in options, f"no option {word}"
    if words[1] in {"run", "recipes"} and len(words) > 2:
        assert (ROOT / f"src/medistill/recipes/{words[2]}.yaml").is_file(), f"no recipe {words[2]}"


CHECKS = {
    "make": check_make,
    "medistill": check_medistill,
    "pip": check_pip,
    "python": check_python,
    "python3": check_python,
}


@pytest.mark.parametrize(
    ("path", "words"), COMMANDS, ids=[f"{name_of(p)}:{' '.join(w)[:50]}" for p, w in COMMANDS]
)
def test_command_exists(path: Path, words: list[str]) -> None:
    program = Path(words[0]).name if words[0].startswith(".venv/bin/") else words[0]
    if program in FOREIGN:
        return
    if program in CHECKS:
        CHECKS[program](words)
    else:
        assert (ROOT / program).is_file(), f"{name_of(path)}: what is '{program}'?"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_relative_links_lead_somewhere(path: Path) -> None:
    missing = [target for target in links(path) if not (path.parent / target).exists()]
    assert not missing, f"{name_of(path)} links to {missing}"


def test_readme_says_what_a_newcomer_must_know() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for phrase in ("make demo", "make test", "Not a medical device", "whl/cpu", "docs/images/"):
        assert phrase in text, f"README.md does not say '{phrase}'"


def test_every_decision_is_listed_and_fits_a_page() -> None:
    folder = ROOT / "docs" / "adr"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    for page in folder.glob("[0-9]*.md"):
        assert f"]({page.name})" in listed, f"docs/adr/README.md does not list {page.name}"
        assert len(page.read_text(encoding="utf-8").split()) <= 600, f"{page.name} is over a page"
