"""The student's last layer against the teacher's normalised map."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from medistill.core.errors import RecipeError
from medistill.methods.last_map import last_layer, last_map_match, map_adapter
from medistill.models.outputs import Outputs


def test_the_last_of_ten_layers_is_not_the_ninth() -> None:
    student: Any = SimpleNamespace(feature_names={f"tokens.{i}" for i in range(11)} | {"pooled"})
    assert last_layer(student, method="a guide") == "tokens.10"


def test_a_student_without_layers_is_refused() -> None:
    with pytest.raises(RecipeError, match="it shows 0 layers, and a guide guides 1"):
        last_layer(SimpleNamespace(feature_names={"pooled"}), method="a guide")  # type: ignore[arg-type]


def test_the_adapter_goes_from_width_to_channels() -> None:
    dims = {"logits": (2,), "tokens.3": (5, 8)}
    adapter = map_adapter(dims, {"stage3": (24, 4, 4)}, "stage3", key="guide.teacher_map")
    assert adapter(torch.zeros(1, 8, 2, 2)).shape == (1, 24, 2, 2)
    with pytest.raises(RecipeError, match="guide.teacher_map: the teacher's 'pooled'"):
        map_adapter(dims, {"pooled": (24,)}, "pooled", key="guide.teacher_map")


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_by_hand_whatever_the_teachers_scale(scale: float) -> None:
    """Channels 1 and 3 become -1 and 1; a student that says 0 and 3 is 1 and 2 away."""
    teacher = scale * torch.tensor([1.0, 3.0]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2)
    tokens = torch.tensor([0.0, 3.0]).expand(1, 5, 2)
    found = last_map_match(Outputs(torch.zeros(1, 2), {"tokens.0": tokens}), teacher, nn.Identity())
    assert found.item() == pytest.approx((1 + 4) / 2, abs=1e-3)
