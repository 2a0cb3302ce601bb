"""NKD's terms."""

from __future__ import annotations

import torch
from torch import nn

from medistill.losses.decoupled import others_kl, target_entropy
from medistill.methods.nkd import NKD
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import make_batch

GENERATOR = torch.Generator().manual_seed(0)


def test_terms_are_those_of_the_losses() -> None:
    student, teacher = (torch.randn(3, 3, generator=GENERATOR) for _ in range(2))
    found = NKD(temperature=2.0, others_weight=3.0).terms(
        Outputs(student, {}), {"logits": teacher}, make_batch(torch.eye(3)), nn.ModuleDict()
    )
    asked = {"student": student, "teacher": teacher, "target": torch.arange(3)}
    torch.testing.assert_close(found["target"], target_entropy(**asked))
    torch.testing.assert_close(found["others"], 3 * others_kl(**asked, temperature=2.0))


def test_with_two_classes_the_inert_term_is_named_and_left_out() -> None:
    found = NKD().terms(
        Outputs(torch.zeros(2, 2), {}),
        {"logits": torch.eye(2)},
        make_batch(torch.eye(2)),
        nn.ModuleDict(),
    )
    assert set(found) == {"hard", "target"}
    assert set(NKD().inert(2)) == {"others"}
