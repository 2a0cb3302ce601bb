"""Fails unless a wheel holds the package's data files and nothing that does not belong there.

Run: python -m tools.wheel_contents dist/medistill-0.1.0-py3-none-any.whl
"""

from __future__ import annotations

import sys
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path

REQUIRED = (
    "medistill/py.typed",
    "medistill/cli.py",
    "medistill/recipes/kdvit.yaml",
    "medistill/recipes/kdvit-small.yaml",
    "medistill/report/templates/*",
    "medistill/serve/static/*",
    "*.dist-info/licenses/LICENSE",
)
ALLOWED_ROOTS = ("medistill/*", "*.dist-info/*")


def faults(names: list[str]) -> list[str]:
    """What is wrong with a wheel that holds these files; empty when nothing is."""
    missing = [
        f"lacks {pattern}"
        for pattern in REQUIRED
        if not any(fnmatchcase(name, pattern) for name in names)
    ]
    foreign = [
        f"holds {name}"
        for name in names
        if not any(fnmatchcase(name, root) for root in ALLOWED_ROOTS)
    ]
    return missing + foreign


def main(wheel: Path) -> int:
    """Print the faults of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        found = faults(archive.namelist())
    for fault in found:
        print(f"{wheel.name}: {fault}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
