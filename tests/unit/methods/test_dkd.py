"""DKD's terms."""

from __future__ import annotations

import torch
from torch import nn

from medistill.losses.decoupled import others_kl, target_kl
from medistill.methods.dkd import DKD
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import make_batch

NAN = float("nan")
GENERATOR = torch.Generator().manual_seed(0)


def terms(classes: int, labels: torch.Tensor) -> tuple[dict[str, torch.Tensor], ...]:
    shape = (len(labels), classes)
    pair = {name: torch.randn(shape, generator=GENERATOR) for name in ("student", "teacher")}
    outputs, targets = Outputs(pair["student"], {}), {"logits": pair["teacher"]}
    return pair, DKD().terms(outputs, targets, make_batch(labels), nn.ModuleDict())


def test_both_terms_are_weighted() -> None:
    pair, found = terms(3, torch.eye(3))
    asked = {**pair, "target": torch.arange(3), "temperature": 4.0}
    torch.testing.assert_close(found["target"], target_kl(**asked))
    torch.testing.assert_close(found["others"], 8 * others_kl(**asked))


def test_an_unlabelled_image_has_the_teachers_target() -> None:
    pair, found = terms(3, torch.full((4, 3), NAN))
    top = pair["teacher"].argmax(1)
    torch.testing.assert_close(found["target"], target_kl(**pair, target=top, temperature=4.0))
    assert found["hard"].item() == 0


def test_with_two_classes_the_inert_term_is_named_and_left_out() -> None:
    _, found = terms(2, torch.eye(2))
    assert set(found) == {"hard", "target"}
    assert set(DKD().inert(2)) == {"others"}
