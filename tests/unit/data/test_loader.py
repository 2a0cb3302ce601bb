from __future__ import annotations

import multiprocessing
import pickle
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Sample
from medistill.data.batch import Batch
from medistill.data.loader import ViewStream, permutation, plain_batches
from medistill.data.store import Store
from medistill.data.storing import build_store
from medistill.data.views import ViewPolicy, draw_view, render_view
from medistill.imaging.resize import render
from tests.unit.data.memory_store import MemoryStore, random_store

POLICY = ViewPolicy(count=3)
LABELS = torch.arange(20.0).reshape(10, 2)


def stream(store: Any = None, *, rows: Iterable[int] = range(10), **changes: Any) -> ViewStream:
    given = {"batch_size": 4, "seed": 5, "student_size": 16, **changes}
    return ViewStream(store or random_store(10), LABELS, list(rows), POLICY, **given)


def assert_same(first: Batch, second: Batch) -> None:
    assert first.hashes == second.hashes
    for name in ("index", "view", "images", "labels"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name


@pytest.fixture(scope="module")
def real_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("store")
    samples = []
    for row, stored in enumerate(random_store(10)):
        path = folder / f"{row}.png"
        Image.fromarray((stored >> 8).astype(np.uint8)).save(path)
        samples.append(Sample(path=path, name=path.name, label=0, group=path.name))
    images = ImageSet(
        name="folder",
        root=folder,
        task="single-label",
        classes=("a", "b"),
        samples=tuple(samples),
        group_word="image",
    )
    return build_store(images, folder / "store", stored_size=20, channels="gray")


@pytest.mark.parametrize("workers", [0, 2])
def test_any_number_of_workers_gives_the_same_batches(real_store: Store, workers: int) -> None:
    alone = stream(real_store, teacher_size=24)
    shared = stream(real_store, teacher_size=24, workers=workers)
    batches = list(shared.batches(2, 7))
    assert len(batches) == 5
    for step, batch in zip(range(2, 7), batches, strict=True):
        again = alone.batch(step)
        assert_same(batch, again)
        assert batch.teacher_images is not None
        assert again.teacher_images is not None
        assert torch.equal(batch.teacher_images, again.teacher_images)


def test_a_step_does_not_depend_on_the_steps_before() -> None:
    in_order = list(stream().batches(0, 6))
    for step in (4, 0, 5, 2):
        assert_same(stream().batch(step), in_order[step])


def test_a_pass_shows_every_row_once_in_its_own_view() -> None:
    rows = [0, 2, 3, 5, 7, 9]
    batches = list(stream(rows=rows, batch_size=4).batches(0, 6))
    index = torch.cat([batch.index for batch in batches]).reshape(4, 6)
    view = torch.cat([batch.view for batch in batches]).reshape(4, 6)
    assert [sorted(one.tolist()) for one in index] == [rows] * 4
    assert len({tuple(one.tolist()) for one in index}) == 4
    assert [set(one.tolist()) for one in view] == [{1}, {2}, {3}, {1}]


def test_batches_are_full_and_mix_views_where_passes_meet() -> None:
    batch = stream(rows=range(6), batch_size=4).batch(1)
    assert len(batch) == 4
    assert batch.view.tolist() == [1, 1, 2, 2]


def test_a_batch_may_be_larger_than_a_pass() -> None:
    batch = stream(rows=range(3), batch_size=8).batch(0)
    assert sorted(batch.index[:3].tolist()) == sorted(batch.index[3:6].tolist()) == [0, 1, 2]
    assert batch.view.tolist() == [1, 1, 1, 2, 2, 2, 3, 3]


def test_the_order_does_not_depend_on_the_batch_size() -> None:
    small = torch.cat([batch.index for batch in stream(batch_size=2).batches(0, 12)])
    large = torch.cat([batch.index for batch in stream(batch_size=6).batches(0, 4)])
    assert torch.equal(small, large)


def test_permutations_differ_by_seed_and_pass_and_show_no_order() -> None:
    orders = [permutation(seed, number, 2000) for seed in (0, 1) for number in (0, 1)]
    for order in orders:
        assert sorted(order.tolist()) == list(range(2000))
        # A random order has rank correlation 0 with standard deviation 1 / sqrt(1999) = .022.
        assert abs(np.corrcoef(order, np.arange(2000))[0, 1]) < 0.09
    assert len({order.tobytes() for order in orders}) == 4


def test_a_row_brings_its_own_label_hash_and_pixels() -> None:
    store = random_store(10)
    batch = stream(store, teacher_size=24).batch(3)
    assert batch.labels.dtype == batch.images.dtype == torch.float32
    assert batch.index.dtype == batch.view.dtype == torch.int64
    assert batch.teacher_images is not None
    for place, (row, number) in enumerate(
        zip(batch.index.tolist(), batch.view.tolist(), strict=True)
    ):
        view = draw_view(POLICY, content_hash=store.hashes[row], view=number)
        for size, images in ((16, batch.images), (24, batch.teacher_images)):
            pixels = render_view(store[row], view, size=size, fit="stretch")
            np.testing.assert_array_equal(images[place].numpy(), pixels)
        assert batch.hashes[place] == store.hashes[row]
        assert torch.equal(batch.labels[place], LABELS[row])


def test_teacher_images_are_made_only_when_asked_for_and_never_twice() -> None:
    assert stream().batch(0).teacher_images is None
    same = stream(teacher_size=16).batch(0)
    assert same.teacher_images is same.images


def test_colour_has_three_channels() -> None:
    store = MemoryStore([np.zeros((20, 30, 3), np.uint16)] * 10)
    assert stream(store).batch(0).images.shape == (4, 3, 16, 16)


@pytest.mark.parametrize("workers", [0, 2])
def test_plain_batches_show_view_0_in_the_given_order(real_store: Store, workers: int) -> None:
    rows = [7, 1, 4, 2, 9]
    batches = list(
        plain_batches(real_store, LABELS, rows, size=16, batch_size=2, fit="pad", workers=workers)
    )
    assert [batch.index.tolist() for batch in batches] == [[7, 1], [4, 2], [9]]
    assert all(not batch.view.any() for batch in batches)
    expected = np.stack([render(real_store[row], size=16, fit="pad") for row in rows])
    np.testing.assert_array_equal(torch.cat([b.images for b in batches]).numpy(), expected)


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(DataError, match="there is no image to load"):
        stream(rows=[])
    with pytest.raises(DataError, match="there is no image to load"):
        next(plain_batches(random_store(1), LABELS, [], size=8, batch_size=2, fit="pad"))


def test_more_workers_than_cores_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch._utils.cpu_count", lambda: 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(stream(workers=2).batches(0, 2))) == 2


def test_workers_end_when_the_training_stops_early(real_store: Store) -> None:
    before = set(multiprocessing.active_children())
    batches = stream(real_store, workers=2).batches(0, 1000)
    next(batches)
    started = set(multiprocessing.active_children()) - before
    assert len(started) == 2
    batches.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 10
    while any(process.is_alive() for process in started) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(process.is_alive() for process in started)


@pytest.mark.parametrize("workers", [0, 1])
def test_loading_leaves_the_global_generators_alone(workers: int) -> None:
    torch.manual_seed(3)
    np.random.seed(3)
    expected = torch.rand(2), np.random.rand(2)
    torch.manual_seed(3)
    np.random.seed(3)
    list(stream(workers=workers).batches(0, 2))
    assert torch.equal(torch.rand(2), expected[0])
    np.testing.assert_array_equal(np.random.rand(2), expected[1])


def test_what_a_worker_is_sent_does_not_grow_with_the_pixels(real_store: Store) -> None:
    sent = pickle.dumps(stream(real_store)._renderer)
    assert len(sent) < 20 * 26 * 2 * len(real_store)
    again = pickle.loads(sent)
    assert_same(again[1], stream(real_store).batch(1))


def test_steps_of_a_pass_round_up(tmp_path: Path) -> None:
    assert [stream(rows=range(n)).steps_per_pass for n in (4, 5, 8)] == [1, 2, 2]
    assert len(stream(rows=range(5))) == 5


def test_shares_say_how_often_a_row_is_shown() -> None:
    shares = np.array([0.5 / 9] * 9 + [0.5])
    batch = stream(batch_size=10, shares=shares).batch(0)
    assert batch.index.tolist().count(9) == 5
    assert sorted(batch.view[batch.index == 9].tolist()) == [1, 1, 2, 2, 3]  # of three views
