"""Writes constraints.txt: the versions installed here of all that the project needs.

Run after the whole test suite has passed with them: python -m tools.pin
"""

from __future__ import annotations

import re
from pathlib import Path

from tools.closure import closure, own_requirements

TARGET = Path(__file__).resolve().parent.parent / "constraints.txt"
HEADING = """\
# Versions that this release was tested with. `make` installs under these; a plain `pip install`
# does not need them. Written by `python -m tools.pin`.
# torch and torchvision carry no local version, so that a CPU build (+cpu) and a CUDA build both
# meet the line. What only torch's CUDA build needs is left to torch.
"""
LEFT_TO_TORCH = re.compile(r"nvidia-.*|cuda-.*|triton")


def pinned() -> list[str]:
    """One ``name==version`` line a distribution, sorted by name."""
    return [
        f"{name}=={item.version.partition('+')[0]}"
        for name, item in closure(own_requirements()).items()
        if not LEFT_TO_TORCH.fullmatch(name)
    ]


if __name__ == "__main__":
    TARGET.write_text(HEADING + "\n".join(pinned()) + "\n", encoding="utf-8")
    print(f"{TARGET.name}: {len(pinned())} versions")
