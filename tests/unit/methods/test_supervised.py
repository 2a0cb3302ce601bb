"""The control's terms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from medistill.data.batch import Batch
from medistill.imaging.preprocessing import Preprocessing
from medistill.methods.supervised import Supervised
from medistill.models.network import Network
from medistill.models.outputs import Outputs
from medistill.models.vit import VisionTransformer

LABELS = torch.tensor([[0.0, 1.0]])
BATCH = Batch(
    index=torch.zeros(1, dtype=torch.int64),
    view=torch.zeros(1, dtype=torch.int64),
    hashes=["a"],
    images=torch.zeros(1, 1, 8, 8),
    teacher_images=None,
    labels=LABELS,
)
EVEN, SURE = torch.zeros(1, 2), torch.tensor([[0.0, math.log(3)]])


def network(*, distilled: bool) -> Network:
    backbone = VisionTransformer(
        image_size=8, patch_size=4, width=8, depth=1, heads=2, classes=2, distilled=distilled
    )
    return Network(backbone, Preprocessing(size=8))


def test_one_head_learns_from_the_logits() -> None:
    found = Supervised().terms(Outputs(SURE, {}), {}, BATCH, nn.ModuleDict())
    assert {name: value.item() for name, value in found.items()} == {
        "hard": pytest.approx(-math.log(0.75))
    }


def test_two_heads_learn_half_each() -> None:
    outputs = Outputs((EVEN + SURE) / 2, {"head": EVEN, "head_dist": SURE})
    found = Supervised().terms(outputs, {}, BATCH, nn.ModuleDict())
    assert found["head"].item() == pytest.approx(math.log(2) / 2)
    assert found["head_dist"].item() == pytest.approx(-math.log(0.75) / 2)
    assert set(found) == {"head", "head_dist"}


def test_both_heads_are_asked_for_where_there_are_two() -> None:
    assert Supervised().wants(network(distilled=False)) == frozenset()
    assert Supervised().wants(network(distilled=True)) == {"head", "head_dist"}


def test_both_heads_of_a_distilled_student_get_a_gradient() -> None:
    student, method = network(distilled=True), Supervised()
    outputs = student(BATCH.images, method.wants(student))
    sum(method.terms(outputs, {}, BATCH, nn.ModuleDict()).values()).backward()  # type: ignore
    assert student.backbone.head.weight.grad.any()
    assert student.backbone.head_dist.weight.grad.any()
