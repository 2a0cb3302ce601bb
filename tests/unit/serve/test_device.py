from __future__ import annotations

import os
import subprocess
import sys

import pytest

from medistill.core.errors import MedistillError
from medistill.serve.device import matrix_peak_flops, parse_memory
from tests.unit.serve.serving import SRC


@pytest.mark.parametrize(
    ("text", "size"), [("512M", 536_870_912), ("2g", 2_147_483_648), ("640KiB", 655_360)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "512", "0M", "-1G", "many"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(MedistillError, match="is no size. Say, for example, 512M"):
        parse_memory(text)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces it")
def test_the_limits_hold() -> None:
    code = (
        "import os\nfrom medistill.serve.device import constrain\n"
        "assert constrain(threads=1, memory_bytes=300 * 2**20)\n"
        "assert len(os.sched_getaffinity(0)) == 1\n"
        "bytearray(100 * 2**20)\n"
        "try:\n    bytearray(400 * 2**20)\nexcept MemoryError:\n    print('held')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "held", done.stderr


def test_this_machine_multiplies() -> None:
    assert matrix_peak_flops() > 1e8
