from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from medistill.core.errors import TargetsError
from medistill.data.batch import Batch
from medistill.data.loader import ViewStream
from medistill.data.views import ViewPolicy
from medistill.teacher.cache import CachedTargets, open_cache, write_cache
from medistill.teacher.cache_plan import CachePlan
from medistill.teacher.frozen import FrozenTeacher
from medistill.teacher.live import LiveTargets
from medistill.teacher.targets import Targets
from tests.unit.teacher.small import cache_plan, drifting

BOTH = frozenset({"logits", "stage0"})


@pytest.fixture(scope="module")
def plan() -> CachePlan:
    return cache_plan()


@pytest.fixture(scope="module")
def cached(plan: CachePlan, tmp_path_factory: pytest.TempPathFactory) -> CachedTargets:
    folder = tmp_path_factory.mktemp("cache")
    write_cache(plan, folder)
    return open_cache(plan, folder)


def stream(plan: CachePlan, *, rows: Sequence[int] = range(30), **more: int) -> ViewStream:
    return ViewStream(
        plan.store,
        torch.zeros(30, 2),
        rows,
        plan.policy,
        batch_size=13,
        seed=3,
        student_size=8,
        teacher_size=12,
        **more,
    )


def test_cached_targets_are_the_live_ones_of_the_same_view(
    plan: CachePlan, cached: CachedTargets
) -> None:
    live: Targets = LiveTargets(plan.teacher, BOTH)
    # Three passes with views 1 to 3, then view 1 again: ten batches see every (image, view).
    for batch in stream(plan).batches(0, 10):
        expected, said = live.get(batch), cached.get(batch)
        assert set(said) == BOTH
        for name in BOTH:
            assert said[name].dtype == torch.float32
            assert not said[name].requires_grad
            torch.testing.assert_close(said[name], expected[name], rtol=2**-10, atol=1e-5)


def test_another_view_of_the_same_image_has_other_targets(
    plan: CachePlan, cached: CachedTargets
) -> None:
    batch = stream(plan).batch(0)
    other = replace(batch, view=batch.view + 1)
    assert not torch.equal(cached.get(batch)["logits"], cached.get(other)["logits"])


def test_images_are_found_by_content_and_not_by_row(plan: CachePlan, cached: CachedTargets) -> None:
    batch = stream(plan, rows=[29, 3, 8]).batch(0)
    moved = replace(batch, index=torch.zeros_like(batch.index))
    assert torch.equal(cached.get(batch)["logits"], cached.get(moved)["logits"])


def test_a_cross_fitted_teacher_is_cached_with_the_member_that_never_saw_the_image(
    tmp_path: Path, plan: CachePlan
) -> None:
    folds = {content: row % 2 for row, content in enumerate(plan.store.hashes[:20])}
    crossed = cache_plan(teacher=FrozenTeacher([drifting(0), drifting(1)], held_out=folds))
    write_cache(crossed, tmp_path)
    cached, live = open_cache(crossed, tmp_path), LiveTargets(crossed.teacher, BOTH)
    for batch in stream(crossed).batches(0, 4):
        for name in BOTH:
            torch.testing.assert_close(
                cached.get(batch)[name], live.get(batch)[name], rtol=2**-9, atol=1e-4
            )


def test_it_can_be_verified_when_open(cached: CachedTargets) -> None:
    assert cached.verify(sample=20, seed=1).rows == 20


def test_mixed_images_are_refused(plan: CachePlan, cached: CachedTargets) -> None:
    assert not cached.mixable
    with pytest.raises(TargetsError, match=r"images are mixed.*Use live targets"):
        cached.get(replace(stream(plan).batch(0), mixed=True))


def test_an_image_that_was_not_cached_is_refused(plan: CachePlan, cached: CachedTargets) -> None:
    batch = stream(plan).batch(0)
    for unknown in ("0" * 64, "f" * 64):
        strange = replace(batch, hashes=[unknown, *batch.hashes[1:]])
        with pytest.raises(TargetsError, match="1 of 13 images of a batch were not cached"):
            cached.get(strange)


@pytest.mark.parametrize("view", [0, 4, 1000, -1, -3])
def test_a_view_that_was_not_cached_is_refused(
    plan: CachePlan, cached: CachedTargets, view: int
) -> None:
    batch: Batch = stream(plan).batch(0)
    batch.view[5] = view
    with pytest.raises(TargetsError, match=rf"view {view} was not cached"):
        cached.get(batch)


def test_any_set_of_views_can_be_cached(tmp_path: Path) -> None:
    plan = cache_plan(views=[2, 7], policy=ViewPolicy(count=8))
    write_cache(plan, tmp_path)
    cached, live = open_cache(plan, tmp_path), LiveTargets(plan.teacher, BOTH)
    seventh = next(b for b in stream(plan).batches(0, 20) if set(b.view.tolist()) == {7})
    torch.testing.assert_close(
        cached.get(seventh)["logits"], live.get(seventh)["logits"], rtol=2**-10, atol=1e-5
    )
    with pytest.raises(TargetsError, match="view 1 was not cached"):
        cached.get(stream(plan).batch(0))


def test_nothing_and_half_a_cache_are_refused(tmp_path: Path, plan: CachePlan) -> None:
    with pytest.raises(TargetsError, match="6 of 6 shards of the cache are missing"):
        open_cache(plan, tmp_path)
    write_cache(plan, tmp_path)
    (tmp_path / "shard-00002.npy").write_bytes(b"torn")
    with pytest.raises(TargetsError, match="1 of 6 shards of the cache are missing"):
        open_cache(plan, tmp_path)
