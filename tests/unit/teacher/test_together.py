"""Members as one network say what a teacher of these members says, and cost their sum."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from medistill.models.build import ModelSpec, build_model
from medistill.models.network import Network
from medistill.models.profile import count_parameters, multiply_adds
from medistill.teacher.frozen import FrozenTeacher
from medistill.teacher.together import mean_logits
from tests.unit.teacher.test_frozen import probes


def members(count: int) -> list[Network]:
    spec = ModelSpec(name="vit", image_size=32, patch_size=8, width=16, depth=1, heads=2)
    made = []
    for seed in range(count):
        torch.manual_seed(seed)
        made.append(build_model(spec, classes=3).eval())
    return made


@pytest.mark.parametrize("task", ["single-label", "multi-label"])
@pytest.mark.parametrize("kind", ["members", "probes"])
def test_the_network_says_what_the_teacher_says(task: str, kind: str) -> None:
    given = members(3) if kind == "members" else probes(3, bodies=1)
    teacher = FrozenTeacher(given, task=task)  # type: ignore[arg-type]
    images = torch.rand(2, 3, 32, 32)
    said = teacher.targets(images, frozenset({"logits"}), ["a", "b"])["logits"]
    with torch.inference_mode():
        found = teacher.as_network()(images).logits
    torch.testing.assert_close(found, said)


def test_members_cost_their_sum() -> None:
    given = members(3)
    whole = FrozenTeacher(given).as_network()
    assert count_parameters(whole) == 3 * count_parameters(given[0])
    assert multiply_adds(whole) == 3 * multiply_adds(given[0])


def test_probes_cost_one_body_and_their_heads() -> None:
    given = probes(3, bodies=1)
    alone, weights = multiply_adds(given[0]), given[0].backbone.head.weight.numel()
    size = count_parameters(given[0])
    whole = FrozenTeacher(given).as_network()
    assert count_parameters(whole) == size + 2 * (weights + 2)
    assert multiply_adds(whole) == alone + 2 * weights
    different = FrozenTeacher(probes(2, bodies=2)).as_network()
    assert count_parameters(different) == 2 * size


def test_a_single_member_is_its_own_network() -> None:
    (alone,) = members(1)
    assert FrozenTeacher([alone]).as_network() is alone


def test_mean_logits_by_hand() -> None:
    # Chances .9 and .5 of the first class, .7 on average.
    one, two = torch.tensor([[math.log(9.0), 0.0]]), torch.zeros(1, 2)
    chances = functional.softmax(mean_logits([one, two], "single-label"), dim=1)
    assert chances[0].tolist() == pytest.approx([0.7, 0.3])
    # Labels .9 and .5 on average .7, both .5 stay.
    labels = torch.sigmoid(mean_logits([one, two], "multi-label"))
    assert labels[0].tolist() == pytest.approx([0.7, 0.5])
    assert mean_logits([one], "single-label") is one
