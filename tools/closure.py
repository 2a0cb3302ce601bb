"""Which distributions the project needs: its own requirements and all of theirs, as installed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


class NotInstalledError(LookupError):
    """A requirement of ours is not installed here, so nothing can be said of it."""


def own_requirements(pyproject: Path = PYPROJECT) -> list[Requirement]:
    """Every requirement that pyproject.toml names, base and extras."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    lines = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        lines += extra
    return [Requirement(line) for line in lines]


def closure(requirements: Iterable[Requirement]) -> dict[str, metadata.Distribution]:
    """The installed distributions that the requirements reach, by normalised name.

    Args:
        requirements: where to start.

    Returns:
        Every reached distribution. Markers are evaluated for this interpreter.

    Raises:
        NotInstalledError: a reached requirement is not installed.
    """
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, str]] = set()
    queue = [(item, extra) for item in requirements for extra in ("", *item.extras)]
    while queue:
        requirement, extra = queue.pop()
        key = (canonicalize_name(requirement.name), extra)
        if key in seen:
            continue
        seen.add(key)
        found[key[0]] = _installed(requirement.name)
        queue += _needed_by(found[key[0]], extra)
    return dict(sorted(found.items()))


def _installed(name: str) -> metadata.Distribution:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise NotInstalledError(f"{name} is not installed; run `make setup`") from None


def _needed_by(distribution: metadata.Distribution, extra: str) -> list[tuple[Requirement, str]]:
    """Requirements of one distribution that apply here when one of its extras is asked for."""
    needed = []
    for line in distribution.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            needed += [(requirement, inner) for inner in ("", *requirement.extras)]
    return needed
