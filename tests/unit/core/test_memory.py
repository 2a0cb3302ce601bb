import subprocess
import sys

import pytest

from medistill.core.memory import peak_memory_bytes


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_what_was_taken_stays_in_the_peak() -> None:
    taken = bytearray(200 * 2**20)
    del taken
    peak = peak_memory_bytes()
    assert peak is not None
    assert peak > 200 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_data_are_what_is_held_now() -> None:
    """In a process of its own: this one may hold freed memory that it takes again."""
    program = (
        "from medistill.core.memory import data_bytes\n"
        "before = data_bytes()\n"
        "taken = bytearray(200 * 2**20)\n"
        "during = data_bytes()\n"
        "del taken\n"
        "print(during - before, data_bytes() - before)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    during, after = map(int, told.stdout.split())
    assert during >= 200 * 2**20
    assert abs(after) < 50 * 2**20
