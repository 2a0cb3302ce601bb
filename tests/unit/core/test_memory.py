import sys

import pytest

from medistill.core.memory import data_bytes, peak_memory_bytes


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_what_was_taken_stays_in_the_peak() -> None:
    taken = bytearray(200 * 2**20)
    del taken
    peak = peak_memory_bytes()
    assert peak is not None
    assert peak > 200 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_data_are_what_is_held_now() -> None:
    before = data_bytes() or 0
    taken = bytearray(200 * 2**20)
    assert (data_bytes() or 0) - before >= len(taken)
    del taken
    assert abs((data_bytes() or 0) - before) < 50 * 2**20
