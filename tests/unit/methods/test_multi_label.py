"""Distillation of several labels, with masks."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from medistill.methods.multi_label import MultiLabel, spoken_of
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import NAN, make_batch


def terms(labels: torch.Tensor, teacher: torch.Tensor, method: MultiLabel) -> dict[str, float]:
    outputs = Outputs(torch.zeros_like(teacher), {})
    found = method.terms(outputs, {"logits": teacher}, make_batch(labels), nn.ModuleDict())
    return {name: value.item() for name, value in found.items()}


def test_by_hand() -> None:
    teacher = torch.tensor([[2 * math.log(3), 0.0]])  # 3/4 and even at T = 2
    found = terms(torch.tensor([[1.0, 0.0]]), teacher, MultiLabel())
    divergence = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert found["hard"] == pytest.approx(0.5 * 2 * math.log(2), rel=1e-6)
    assert found["soft"] == pytest.approx(0.5 * 4 * divergence, rel=1e-6)


def test_an_unknown_label_counts_in_neither_term() -> None:
    labels, teacher = torch.tensor([[1.0, NAN]]), torch.tensor([[1.0, 9.0]])
    alone = terms(labels[:, :1], teacher[:, :1], MultiLabel())
    assert terms(labels, teacher, MultiLabel()) == pytest.approx(alone)
    assert terms(labels, teacher, MultiLabel(mask_unknown=False))["soft"] > alone["soft"]


def test_the_teacher_speaks_of_all_labels_of_an_unlabelled_image() -> None:
    labels = torch.tensor([[NAN, NAN], [1.0, NAN], [0.0, 1.0]])
    assert spoken_of(labels).tolist() == [[True, True], [True, False], [True, True]]
