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
