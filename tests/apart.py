"""Runs a function of a test in a fresh interpreter.

OpenVINO and NNCF keep threads that do not survive a fork: in the process of a test they may end the
tests that come after it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def run_apart(function: Callable[[Path], object], folder: Path) -> None:
    """Call a function that a module of the tests holds; its failure is the test's.

    Args:
        function: takes a folder.
        folder: an existing one.
    """
    code = (
        "import sys, warnings; from pathlib import Path; "
        f"from {function.__module__} import {function.__name__} as body; body(Path(sys.argv[1]))"
    )
    paths = os.pathsep.join([str(_ROOT / "src"), str(_ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
