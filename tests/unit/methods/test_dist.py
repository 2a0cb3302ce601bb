"""DIST's terms."""

from __future__ import annotations

import torch
from torch import nn

from medistill.losses.relations import batch_relations, class_relations
from medistill.methods.dist import Dist
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import make_batch

GENERATOR = torch.Generator().manual_seed(0)


def terms(classes: int, method: Dist) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    pair = {name: torch.randn(5, classes, generator=GENERATOR) for name in ("student", "teacher")}
    batch = make_batch(torch.eye(classes)[[0] * 5])
    outputs, targets = Outputs(pair["student"], {}), {"logits": pair["teacher"]}
    return pair, method.terms(outputs, targets, batch, nn.ModuleDict())


def test_both_correlations_are_weighted() -> None:
    pair, found = terms(3, Dist(temperature=2.0, class_weight=3.0, batch_weight=5.0))
    expected = 3 * class_relations(**pair, temperature=2.0)
    torch.testing.assert_close(found["class_relations"], expected)
    expected = 5 * batch_relations(**pair, temperature=2.0)
    torch.testing.assert_close(found["batch_relations"], expected)


def test_with_two_classes_the_inert_term_is_named_and_left_out() -> None:
    _, found = terms(2, Dist())
    assert set(found) == {"hard", "batch_relations"}
    assert set(Dist().inert(2)) == {"class_relations"}
    assert not Dist().inert(3)
