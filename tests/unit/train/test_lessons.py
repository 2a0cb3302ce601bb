"""Lessons: smoothed, mixed, shared, with the targets of what is really shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from medistill.core.errors import RecipeError
from medistill.train.lessons import Lessons, share_of
from medistill.train.mixing import draw_mix, mix_batch
from tests.unit.train.small import Sayings, Stream, make_batch, make_settings


def _lessons(rank: int = 0, processes: int = 1, **changes: Any) -> Lessons:
    fabric: Any = SimpleNamespace(
        device=torch.device("cpu"), global_rank=rank, world_size=processes
    )
    return Lessons(
        stream=Stream(),
        targets=Sayings(),
        settings=make_settings(**changes),
        task="single-label",
        fabric=fabric,
    )


def test_plain_lesson_is_the_batch_and_its_targets() -> None:
    lesson = next(_lessons().between(3, 9))
    assert torch.equal(lesson.batch.images, make_batch(3).images)
    assert torch.equal(lesson.targets["logits"], Sayings().get(make_batch(3))["logits"])
    assert not lesson.batch.mixed


def test_labels_are_smoothed() -> None:
    lesson = next(_lessons(label_smoothing=0.2).between(0, 1))
    assert lesson.batch.labels[0].tolist() == pytest.approx([0.9, 0.1])


def test_targets_are_those_of_the_mixed_images() -> None:
    settings = make_settings(mixup=0.8)
    lesson = next(_lessons(mixup=0.8).between(5, 6))
    expected = mix_batch(make_batch(5), draw_mix(settings, 5, 8))
    assert torch.equal(lesson.batch.images, expected.images)
    assert torch.equal(lesson.targets["logits"], Sayings().get(expected)["logits"])
    assert lesson.batch.mixed


def test_processes_share_a_mixed_batch_without_gap_or_overlap() -> None:
    whole = next(_lessons(mixup=0.8).between(5, 6))
    parts = [next(_lessons(rank, 2, mixup=0.8).between(5, 6)) for rank in (0, 1)]
    together = torch.cat([part.batch.images for part in parts])
    assert torch.equal(together, whole.batch.images)
    assert [*parts[0].batch.hashes, *parts[1].batch.hashes] == whole.batch.hashes
    assert share_of(whole.batch, 0, 1) is whole.batch


def test_uneven_shares_are_refused() -> None:
    _lessons(processes=4).refuse_uneven()
    with pytest.raises(RecipeError, match=r"^train\.batch_size: 8 cannot be shared by 3 processes"):
        _lessons(processes=3).refuse_uneven()


def test_shares_with_nothing_to_compare_are_refused() -> None:
    _lessons(processes=4, batch_size=8).refuse_uneven(2)
    with pytest.raises(RecipeError, match=r"each of 8 processes sees 1 of 8 .* Give at least 16"):
        _lessons(processes=8, batch_size=8).refuse_uneven(2)


def test_workers_of_the_stream_end_with_the_lessons() -> None:
    ended: list[bool] = []

    class Watched(Stream):
        def batches(self, start_step: int, stop_step: int) -> Any:
            try:
                yield from super().batches(start_step, stop_step)
            finally:
                ended.append(True)

    lessons = _lessons()
    sequence = Lessons(**{**vars(lessons), "stream": Watched()}).between(0, 9)
    next(sequence)
    sequence.close()
    assert ended == [True]
