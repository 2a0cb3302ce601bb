"""Nothing of one machine or of somebody's data gets into the project."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT, tracked_files

# Built from pieces, so that this file does not hold what it looks for.
FOLDERS = "|".join(["work", "root", "home", "Users", "opt", "mnt", "scratch", "media"])
MACHINE_PATH = re.compile(rf"(?<![\w.:/$}}~-])/(?:{FOLDERS})/[\w.-]+")
# Tests of the check that keeps paths out of bundles; their paths are invented.
INVENTED = {"tests/unit/export/test_bundle_writer.py", "tests/unit/export/test_path_scan.py"}
LARGEST_BYTES = 2_000_000
TEXT = {
    ".py",
    ".css",
    ".js",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".txt",
    ".cfg",
    ".ini",
    ".sh",
    ".html",
    ".json",
    "",
}
# Binary files that the project ships on purpose live below these folders.
BINARY_FOLDERS = ("docs/images/",)


def text_files() -> list[Path]:
    return [path for path in tracked_files() if path.suffix in TEXT]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_pattern_finds_a_machine_path() -> None:
    for folder in FOLDERS.split("|"):
        below = f"{folder}/ann/scans"
        assert MACHINE_PATH.search(f"read '/{below}' please")
        assert not MACHINE_PATH.search(f"https://example.org/{below} and $HOME/{below}")


def test_no_text_file_holds_a_machine_path() -> None:
    found = [
        f"{name_of(path)}:{number}: {line.strip()[:100]}"
        for path in text_files()
        if name_of(path) not in INVENTED
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert not found, "\n".join(found)


def test_no_large_or_stray_binary_file() -> None:
    for path in tracked_files():
        name = name_of(path)
        assert path.stat().st_size <= LARGEST_BYTES, f"{name} is larger than {LARGEST_BYTES} bytes"
        assert path.suffix in TEXT | {".typed"} or name.startswith(BINARY_FOLDERS), f"{name}: why?"


@pytest.mark.parametrize("name", ["LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_the_project_has_its_papers(name: str) -> None:
    assert (ROOT / name).stat().st_size > 200
