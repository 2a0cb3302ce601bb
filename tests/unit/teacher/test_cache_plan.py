from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medistill.core.errors import DataError, TargetsError
from medistill.data.views import ViewPolicy
from medistill.teacher.cache_write import write_cache
from tests.unit.data.memory_store import random_store
from tests.unit.teacher.small import cache_plan


def test_the_size_is_told_before_a_byte_is_written(tmp_path: Path) -> None:
    # 29 distinct images, 3 views; a row holds 3 logits and a stage of 4 x 3 x 3, in 2 bytes each.
    plan = cache_plan()
    assert plan.layout.shapes == {"logits": (3,), "stage0": (4, 3, 3)}
    assert plan.bytes == 29 * 3 * (3 + 36) * 2 + 29 * 64
    assert plan.sentence == (
        "Targets to cache: logits and stage0 of 29 images in 3 views, 87 rows of 39 numbers in "
        "float16: 8.6 kB in 6 shards."
    )
    assert list(tmp_path.iterdir()) == []


def test_the_size_told_is_the_size_written(tmp_path: Path) -> None:
    plan = cache_plan()
    write_cache(plan, tmp_path)
    written = sum(path.stat().st_size for path in tmp_path.iterdir())
    # Beside the numbers: a header of 128 and a digest of 32 bytes a shard, and the manifest.
    assert 0 <= written - plan.bytes < 6 * 160 + 2500


def test_an_image_that_occurs_twice_is_cached_once() -> None:
    plan = cache_plan()
    assert len(plan.hashes) == 29
    assert set(plan.rows.tolist()) == set(range(29))
    assert [plan.store.hashes[row] for row in plan.rows] == [h.decode() for h in plan.hashes]


def test_shards_are_few_and_not_tiny() -> None:
    store = random_store(50, height=8, width=8)
    few = cache_plan(store=store, policy=ViewPolicy(count=4), shard_rows=None).layout
    assert (few.rows, few.shard_rows, few.shards) == (200, 256, 1)
    many = cache_plan(store=store, policy=ViewPolicy(count=2000), shard_rows=None).layout
    assert (many.rows, many.shards) == (100_000, 64)
    assert sum(len(many.span(shard)) for shard in range(64)) == 100_000


def test_a_short_training_may_cache_fewer_views() -> None:
    assert cache_plan(views=[1, 2]).layout.rows == 58


def test_the_key_follows_all_that_the_targets_depend_on() -> None:
    store = random_store(29)
    keys = [
        cache_plan().key,
        cache_plan(rows=range(28)).key,
        cache_plan(store=random_store(30, seed=1)).key,
        cache_plan(policy=ViewPolicy(count=3, seed=1)).key,
        cache_plan(policy=ViewPolicy(count=4)).key,
        cache_plan(stored="float32").key,
        cache_plan(precision="bfloat16").key,
        cache_plan(needs=frozenset({"logits"})).key,
    ]
    assert len(set(keys)) == len(keys)
    # The order of rows and a duplicate do not matter: images are found by content.
    assert cache_plan(store=store, rows=list(np.arange(29)[::-1])).key == cache_plan().key


def test_nothing_to_cache_is_refused() -> None:
    with pytest.raises(DataError, match="no image to cache"):
        cache_plan(rows=[])
    with pytest.raises(DataError, match="no target is wanted"):
        cache_plan(needs=frozenset())
    with pytest.raises(TargetsError, match="no feature called 'stage7'"):
        cache_plan(needs=frozenset({"stage7"}))


def test_it_knows_whether_a_folder_is_whole(tmp_path: Path) -> None:
    plan = cache_plan()
    assert not plan.is_whole(tmp_path)
    write_cache(plan, tmp_path)
    assert plan.is_whole(tmp_path)
    (tmp_path / "shard-00003.npy").unlink()
    assert not plan.is_whole(tmp_path)
