from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from medistill.core.errors import TargetsError
from medistill.data.batch import Batch
from medistill.teacher.frozen import FrozenTeacher
from medistill.teacher.live import LiveTargets
from medistill.teacher.targets import Targets
from tests.unit.teacher.small import drifting

LOGITS = frozenset({"logits"})


def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(
        index=torch.arange(2),
        view=torch.ones(2, dtype=torch.int64),
        hashes=["a", "b"],
        images=torch.rand(2, 1, 6, 6, generator=generator),
        teacher_images=torch.rand(2, 1, 12, 12, generator=generator),
        labels=torch.zeros(2, 3),
    )


def test_it_says_what_the_teacher_says_of_the_teachers_images() -> None:
    teacher = FrozenTeacher([drifting()])
    given = batch()
    assert given.teacher_images is not None
    live: Targets = LiveTargets(teacher, frozenset({"logits", "pooled"}))
    expected = teacher.targets(given.teacher_images, frozenset({"logits", "pooled"}), ["a", "b"])
    said = live.get(given)
    assert set(said) == {"logits", "pooled"}
    assert all(torch.equal(said[name], expected[name]) for name in said)


def test_mixed_images_are_fine_unless_the_teacher_is_cross_fitted() -> None:
    mixed = replace(batch(), mixed=True)
    plain = LiveTargets(FrozenTeacher([drifting()]), LOGITS)
    assert plain.mixable
    assert plain.get(mixed)["logits"].shape == (2, 3)
    members = [drifting(0), drifting(1)]
    crossed = LiveTargets(FrozenTeacher(members, held_out={"a": 0, "b": 1}), LOGITS)
    assert not crossed.mixable
    assert crossed.get(batch())["logits"].shape == (2, 3)
    with pytest.raises(TargetsError, match="mixed across the folds of a cross-fitted teacher"):
        crossed.get(mixed)


def test_a_stream_without_teacher_images_is_our_mistake() -> None:
    live = LiveTargets(FrozenTeacher([drifting()]), LOGITS)
    with pytest.raises(ValueError, match="teacher_size"):
        live.get(replace(batch(), teacher_images=None))
