"""The model block."""

from __future__ import annotations

import os
import subprocess
import sys


def test_the_block_is_read_without_torch() -> None:
    code = "import sys, medistill.models.spec as s; s.ModelSpec(); sys.exit('torch' in sys.modules)"
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=path, check=False).returncode == 0
