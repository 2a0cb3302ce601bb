"""Lessons: smoothed and mixed, with the targets of what is really shown."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from medistill.train.lessons import Lessons
from medistill.train.mixing import draw_mix, mix_batch
from tests.unit.train.small import Sayings, Stream, make_batch, make_settings


def _lessons(**changes: Any) -> Lessons:
    return Lessons(
        stream=Stream(),
        targets=Sayings(),
        settings=make_settings(**changes),
        task="single-label",
        device=torch.device("cpu"),
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
