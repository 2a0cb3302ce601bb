"""A guide beside another method: what is the method's stays the method's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from medistill.core.errors import RecipeError
from medistill.methods.dkd import DKD
from medistill.methods.guided import Guide, Guided
from medistill.methods.hinton import Hinton
from medistill.methods.locality import Locality
from medistill.methods.multi_label import MultiLabel
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import make_batch

STUDENT: Any = SimpleNamespace(feature_names={"pooled", "tokens.0", "tokens.1"})


def test_a_map_is_needed_and_the_last_layer_wanted_besides() -> None:
    method = Guided(method=Hinton(), guide=Guide(teacher_map="stage4"))
    assert method.needs == {"logits", "stage4"}
    assert method.wants(STUDENT) == {"tokens.1"}


@pytest.mark.parametrize("base", [Hinton(), MultiLabel(), DKD()])
def test_what_it_takes_is_the_methods(base: Any) -> None:
    method = Guided(method=base, guide=Guide())
    assert method.tasks == base.tasks
    assert method.undefined == base.undefined
    assert method.smallest_batch == base.smallest_batch


def test_terms_that_say_nothing_of_two_classes_are_named_as_ever() -> None:
    assert Guided(method=DKD(), guide=Guide()).inert(2) == DKD().inert(2) != {}
    assert Guided(method=Hinton(), guide=Guide()).inert(2) == {}


def test_terms_are_the_methods_and_the_weighted_guide() -> None:
    """Normalised channels of -1 and 1 against zeros are 1 apart; weight 3."""
    base = Hinton(temperature=1.0, soft_weight=0.5)
    method = Guided(method=base, guide=Guide(weight=3.0))
    outputs = Outputs(torch.tensor([[1.0, 0.0]]), {"tokens.1": torch.zeros(1, 5, 2)})
    map_ = torch.tensor([1.0, 3.0]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2)
    targets = {"logits": torch.tensor([[0.0, 2.0]]), "stage3": map_}
    batch, adapters = make_batch(torch.eye(2)[:1]), nn.ModuleDict({"guide": nn.Identity()})
    found = method.terms(outputs, targets, batch, adapters)
    assert found.pop("guide").item() == pytest.approx(3.0, abs=1e-3)
    assert found == base.terms(outputs, targets, batch, nn.ModuleDict())


def test_a_method_that_guides_layers_itself_is_refused() -> None:
    student: Any = SimpleNamespace(feature_names={f"tokens.{i}" for i in range(4)})
    with pytest.raises(RecipeError, match="Locality guides layers of the student already"):
        Guided(method=Locality(), guide=Guide()).wants(student)
