"""Label-free pre-distillation."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from medistill.core.errors import RecipeError
from medistill.data.batch import Batch
from medistill.methods.embedding import Embedding
from medistill.models.outputs import Outputs

UNLABELLED = Batch(
    index=torch.arange(4),
    view=torch.ones(4, dtype=torch.int64),
    hashes=list("abcd"),
    images=torch.zeros(4, 1, 2, 2),
    teacher_images=None,
    labels=torch.full((4, 2), float("nan")),
)


def loss(adapters: nn.ModuleDict, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    outputs = Outputs(torch.zeros(4, 2), {"pooled": student})
    found = Embedding().terms(outputs, {"pooled": teacher}, UNLABELLED, adapters)
    assert set(found) == {"embedding"}
    return found["embedding"]


def test_adapter_maps_the_students_width_to_the_teachers() -> None:
    adapters = Embedding().adapters({"logits": (2,), "pooled": (16,)}, {"pooled": (1280,)})
    assert adapters["pooled"](torch.zeros(3, 16)).shape == (3, 1280)


def test_zero_where_the_projection_equals_the_normalised_teacher() -> None:
    adapters = nn.ModuleDict({"pooled": nn.Identity()})
    teacher = torch.randn(4, 8)
    agreed = functional.layer_norm(teacher, (8,))
    assert loss(adapters, agreed, teacher).item() == 0.0
    assert loss(adapters, agreed + 0.5, teacher).item() == pytest.approx(0.125, abs=1e-6)


def test_the_last_layer_predicts_a_map_normalised_at_each_place() -> None:
    method = Embedding(map_weight=0.5, teacher_map="stage1")
    assert method.needs == {"pooled", "stage1"}
    dims = {"pooled": (6,), "tokens.0": (5, 6), "tokens.1": (5, 6)}
    adapters = method.adapters(dims, {"pooled": (6,), "stage1": (3, 2, 2)})
    adapters["map"] = nn.Identity()
    goal = torch.randn(4, 3, 2, 2) * torch.tensor([1.0, 5.0, 0.2]).view(3, 1, 1)
    places = goal.flatten(2).transpose(1, 2)
    normed = (places - places.mean(2, keepdim=True)) / places.std(2, correction=0, keepdim=True)
    tokens = torch.cat([torch.zeros(4, 1, 3), normed + 2.0], dim=1)
    features = {"pooled": torch.zeros(4, 6), "tokens.0": torch.zeros(4, 5, 3), "tokens.1": tokens}
    targets = {"pooled": torch.zeros(4, 6), "stage1": goal}
    terms = method.terms(Outputs(torch.zeros(4, 2), features), targets, UNLABELLED, adapters)
    assert set(terms) == {"embedding", "map"}
    assert terms["map"].item() == pytest.approx(0.5 * 2.0**2, rel=1e-3)


def test_a_weight_below_zero_and_a_teacher_without_places_are_refused() -> None:
    with pytest.raises(RecipeError, match="map_weight"):
        Embedding(map_weight=-1.0)
    method = Embedding(map_weight=1.0, teacher_map="pooled")
    with pytest.raises(RecipeError, match="teacher_map"):
        method.adapters({"pooled": (6,), "tokens.0": (5, 6)}, {"pooled": (8,)})


def test_student_and_adapter_learn_without_labels() -> None:
    torch.manual_seed(0)
    adapters = Embedding().adapters({"pooled": (6,)}, {"pooled": (8,)})
    student = torch.randn(4, 6, requires_grad=True)
    loss(adapters, student, torch.randn(4, 8)).backward()
    assert student.grad is not None
    assert student.grad.any()
    assert all(parameter.grad.any() for parameter in adapters.parameters())
