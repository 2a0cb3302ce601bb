from __future__ import annotations

import pytest

from medistill.core.errors import MedistillError
from medistill.serve.limits import Limits


def test_sizes_in_bytes() -> None:
    limits = Limits(upload_mib=3, memory_mib=5)
    assert (limits.upload_bytes, limits.memory_bytes) == (3_145_728, 5_242_880)


def test_an_impossible_bound_names_its_option() -> None:
    with pytest.raises(MedistillError, match="--upload-seconds: 0 is impossible"):
        Limits(upload_seconds=0)
    with pytest.raises(MedistillError, match="--memory-mib: 8 MiB cannot hold one upload of 64"):
        Limits(memory_mib=8)
