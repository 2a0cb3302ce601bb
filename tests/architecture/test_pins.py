"""Whatever pyproject.toml asks for has a version that was tested, and the base a lowest one."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tools.closure import PYPROJECT, own_requirements
from tools.pin import TARGET

LOWEST = PYPROJECT.parent / "tools" / "lowest.txt"


def _pinned(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "==" in line]
    return {canonicalize_name(n): v for n, v in (line.split("==") for line in lines)}


def _base() -> list[Requirement]:
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    return [Requirement(line) for line in project["dependencies"]]


@pytest.mark.parametrize("requirement", own_requirements(), ids=lambda each: each.name)
def test_every_requirement_is_pinned_within_its_bound(requirement: Requirement) -> None:
    assert _pinned(TARGET)[canonicalize_name(requirement.name)] in requirement.specifier


@pytest.mark.parametrize("requirement", _base(), ids=lambda each: each.name)
def test_the_lowest_version_of_the_base_is_the_bound(requirement: Requirement) -> None:
    version = _pinned(LOWEST)[canonicalize_name(requirement.name)]
    bounds = [Version(each.version) for each in requirement.specifier]
    assert bounds == [Version(version)]
