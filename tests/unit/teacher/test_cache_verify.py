from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from medistill.core.errors import TargetsError
from medistill.teacher.cache_plan import CachePlan
from medistill.teacher.cache_shards import shard_path
from medistill.teacher.cache_verify import verify_cache
from medistill.teacher.cache_write import write_cache
from tests.unit.teacher.small import cache_plan


@pytest.fixture
def plan() -> CachePlan:
    return cache_plan()


def rewrite(folder: Path, shard: int, change: float, *, sealed: bool) -> None:
    """Add ``change`` to every number of a shard, with a digest that fits or not."""
    path = shard_path(folder, shard)
    data = path.read_bytes()
    numbers = np.frombuffer(data[128:-32], np.float16) + np.float16(change)
    body = numbers.astype(np.float16).tobytes()
    digest = hashlib.sha256(body).digest() if sealed else data[-32:]
    path.write_bytes(data[:128] + body + digest)


def test_a_sound_cache_passes_and_says_how_well(tmp_path: Path, plan: CachePlan) -> None:
    write_cache(plan, tmp_path, batch_size=5)
    result = verify_cache(plan, tmp_path, sample=40)
    assert result.rows == 40
    # Rounding to float16 shows, and stays below what is allowed.
    assert 0 < result.largest_difference < result.allowed < 0.01
    assert str(result).startswith("40 cached targets were computed again; the largest difference")
    assert verify_cache(plan, tmp_path, sample=1000).rows == 87


def test_float32_agrees_to_the_order_of_its_sums(tmp_path: Path) -> None:
    plan = cache_plan(stored="float32")
    write_cache(plan, tmp_path, batch_size=5)
    assert verify_cache(plan, tmp_path).largest_difference < 1e-5


def test_numbers_that_the_teacher_does_not_say_are_found(tmp_path: Path, plan: CachePlan) -> None:
    write_cache(plan, tmp_path)
    rewrite(tmp_path, 2, 0.02, sealed=True)
    with pytest.raises(TargetsError, match=r"16 of 87 rows are not what the teacher says"):
        verify_cache(plan, tmp_path, sample=87)


def test_a_shard_changed_on_the_disk_is_found_wherever_the_sample_falls(
    tmp_path: Path, plan: CachePlan
) -> None:
    write_cache(plan, tmp_path)
    rewrite(tmp_path, 4, 0.0001, sealed=False)
    with pytest.raises(TargetsError, match="shard 4 was changed after it was written"):
        verify_cache(plan, tmp_path, sample=1)


def test_an_unfinished_cache_is_not_verified(tmp_path: Path, plan: CachePlan) -> None:
    with pytest.raises(TargetsError, match="the cache is not whole"):
        verify_cache(plan, tmp_path)
    write_cache(plan, tmp_path)
    shard_path(tmp_path, 1).unlink()
    with pytest.raises(TargetsError, match="the cache is not whole"):
        verify_cache(plan, tmp_path)


def test_the_seed_picks_the_sample(tmp_path: Path, plan: CachePlan) -> None:
    write_cache(plan, tmp_path)
    rewrite(tmp_path, 0, 0.5, sealed=True)
    said = set()
    for _ in range(2):
        with pytest.raises(TargetsError) as caught:
            verify_cache(plan, tmp_path, sample=30, seed=4)
        said.add(str(caught.value))
    assert len(said) == 1
