"""Label-free distillation by resemblance."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medistill.core.errors import RecipeError
from medistill.losses.affinity import embedding_affinity, position_affinity
from medistill.methods.affinity import Affinity
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import NAN, make_batch


def test_terms_are_those_of_the_losses_and_need_no_labels() -> None:
    torch.manual_seed(0)
    features = {"pooled": torch.randn(4, 6), "tokens.5": torch.randn(4, 17, 6)}
    targets = {"pooled": torch.randn(4, 6), "stage4": torch.randn(4, 9, 2, 2)}
    batch = make_batch(torch.full((4, 2), NAN))
    adapters = nn.ModuleDict({"pooled": nn.Identity()})
    method = Affinity(embedding_weight=2.0, position_weight=3.0)
    found = method.terms(Outputs(torch.zeros(4, 2), features), targets, batch, adapters)
    images = embedding_affinity(
        student=features["pooled"], teacher=targets["pooled"], temperature=0.07
    )
    patches = features["tokens.5"][:, 1:].transpose(1, 2).reshape(4, 6, 4, 4)
    places = position_affinity(student=patches, teacher=targets["stage4"], temperature=0.07)
    torch.testing.assert_close(found["embeddings"], 2 * images)
    torch.testing.assert_close(found["positions"], 3 * places)


def test_earlier_images_are_compared_with_too() -> None:
    torch.manual_seed(0)
    dims = {"logits": (2,), "pooled": (6,), "tokens.5": (17, 6)}
    method = Affinity(queue=5, position_weight=0.0)
    adapters = method.adapters(dims, {"pooled": (8,), "stage4": (9, 2, 2)})
    said = [torch.randn(4, 8) for _ in range(3)]
    found = []
    for teacher in said:
        features = {"pooled": torch.ones(4, 6), "tokens.5": torch.randn(4, 17, 6)}
        targets = {"pooled": teacher, "stage4": torch.randn(4, 9, 2, 2)}
        batch = make_batch(torch.full((4, 2), NAN))
        terms = method.terms(Outputs(torch.zeros(4, 2), features), targets, batch, adapters)
        found.append(terms["embeddings"])
    earlier = (None, said[0], torch.cat(said[:2])[-5:])
    for loss, teacher, others in zip(found, said, earlier, strict=True):
        projected = adapters["pooled"](torch.ones(4, 6))
        pair = {"student": projected, "teacher": teacher}
        expected = embedding_affinity(**pair, temperature=0.07, others=others)
        torch.testing.assert_close(loss, expected)
    with pytest.raises(RecipeError, match=r"method\.queue: -1 embeddings cannot be kept"):
        Affinity(queue=-1)


def test_a_map_is_needed() -> None:
    dims = {"logits": (2,), "pooled": (6,), "tokens.5": (17, 6)}
    with pytest.raises(RecipeError, match="method.teacher_map: .* has no positions"):
        Affinity(teacher_map="head").adapters(dims, {"pooled": (8,), "head": (2,)})
