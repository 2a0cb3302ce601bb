"""VkD: the projection stays orthogonal, the scores go to the distillation token."""

from __future__ import annotations

import pytest
import torch

from medistill.losses.logits import softened_kl
from medistill.losses.task import cross_entropy
from medistill.methods.vkd import VkD
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import make_batch


@pytest.mark.parametrize(("width", "wider"), [(4, 8), (8, 4)])
def test_projection_is_orthogonal_and_stays_so(width: int, wider: int) -> None:
    torch.manual_seed(0)
    adapters = VkD().adapters(
        {"logits": (3,), "pooled": (width,)}, {"logits": (3,), "pooled": (wider,)}
    )
    optimiser = torch.optim.SGD(adapters.parameters(), lr=1.0)
    for _ in range(2):
        weight = adapters["pooled"].weight
        assert isinstance(weight, torch.Tensor)
        assert weight.shape == (wider, width)
        product = weight.T @ weight if width < wider else weight @ weight.T
        torch.testing.assert_close(product, torch.eye(4), atol=1e-5, rtol=0)
        adapters["pooled"](torch.randn(5, width)).square().mean().backward()
        optimiser.step()


def test_the_distillation_token_hears_the_teacher() -> None:
    adapters = VkD().adapters({"logits": (3,), "pooled": (4,)}, {"logits": (3,), "pooled": (6,)})
    head, dist, teacher = torch.randn(3, 3), torch.randn(3, 3), torch.randn(3, 3)
    features = {"pooled": torch.randn(3, 4), "head": head, "head_dist": dist}
    targets = {"logits": teacher, "pooled": torch.randn(3, 6)}
    batch = make_batch(torch.eye(3))
    found = VkD().terms(Outputs((head + dist) / 2, features), targets, batch, adapters)
    soft = softened_kl(student=dist, teacher=teacher, temperature=1.0)
    torch.testing.assert_close(found["soft"], soft)
    torch.testing.assert_close(found["hard"], cross_entropy(logits=head, labels=batch.labels))
