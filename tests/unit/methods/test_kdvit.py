"""KDViT's terms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from medistill.core.errors import RecipeError
from medistill.data.batch import Batch
from medistill.methods.kdvit import KDViT
from medistill.models.outputs import Outputs

NAN = float("nan")


def batch(labels: Tensor) -> Batch:
    count = len(labels)
    return Batch(
        index=torch.arange(count),
        view=torch.ones(count, dtype=torch.int64),
        hashes=[str(row) for row in range(count)],
        images=torch.zeros(count, 1, 2, 2),
        teacher_images=None,
        labels=labels,
    )


def terms(method: KDViT, logits: Tensor, teacher: Tensor, labels: Tensor) -> dict[str, float]:
    found = method.terms(Outputs(logits, {}), {"logits": teacher}, batch(labels), nn.ModuleDict())
    return {name: value.item() for name, value in found.items()}


@pytest.mark.parametrize(("given", "temperature"), [(KDViT(), 4), (KDViT(temperature=2), 2)])
def test_terms_by_hand(given: KDViT, temperature: float) -> None:
    """At even odds CE is ln 2; softened, the teacher says 1/4 and 3/4."""
    teacher = torch.tensor([[0.0, temperature * math.log(3)]])
    found = terms(given, torch.zeros(1, 2), teacher, torch.tensor([[0.0, 1.0]]))
    divergence = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    assert found["hard"] == pytest.approx(0.1 * math.log(2), rel=1e-6)
    assert found["soft"] == pytest.approx(0.9 * temperature**2 * divergence, rel=1e-6)
    assert set(found) == {"hard", "soft"}


def test_unlabelled_images_count_in_the_soft_term_alone() -> None:
    teacher = torch.tensor([[0.0, 4 * math.log(3)]] * 2)
    labelled, unlabelled = torch.tensor([[0.0, 1.0]]), torch.tensor([[NAN, NAN]])
    alone = terms(KDViT(), torch.zeros(1, 2), teacher[:1], labelled)
    both = terms(KDViT(), torch.zeros(2, 2), teacher, torch.cat([labelled, unlabelled]))
    assert both == pytest.approx(alone)


def test_nothing_to_learn_where_student_and_teacher_agree() -> None:
    logits = torch.tensor([[2.0, -1.0]])
    assert terms(KDViT(), logits, logits, torch.tensor([[1.0, 0.0]]))["soft"] == 0.0


@pytest.mark.parametrize(("weight", "silent"), [(0.0, "soft"), (1.0, "hard")])
def test_weight_at_its_ends(weight: float, silent: str) -> None:
    found = terms(
        KDViT(soft_weight=weight), torch.zeros(1, 2), torch.ones(1, 2).cumsum(1), torch.eye(2)[:1]
    )
    assert found[silent] == 0.0
    assert sum(found.values()) > 0


@pytest.mark.parametrize("temperature", [0.0, -1.0, NAN])
def test_temperature_out_of_range_is_refused(temperature: float) -> None:
    with pytest.raises(RecipeError, match="method.temperature: .* does not soften anything"):
        KDViT(temperature=temperature)


@pytest.mark.parametrize("weight", [-0.1, 1.1, NAN])
def test_weight_out_of_range_is_refused(weight: float) -> None:
    with pytest.raises(RecipeError, match="method.soft_weight: .* is not a share"):
        KDViT(soft_weight=weight)


def test_teacher_of_other_classes_is_refused() -> None:
    with pytest.raises(RecipeError, match="it scores 1000 classes, the student 2"):
        KDViT().adapters({"logits": (2,)}, {"logits": (1000,)})
