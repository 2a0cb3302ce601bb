"""The packaged ImageNet weights recognise photographs, so order and normalisation are right."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_sample_image
from torch import Tensor
from torch.nn import functional

from medistill.models.build import build_model
from medistill.models.spec import ModelSpec
from medistill.models.weights import load_published

# Classes of ImageNet-1k that the two photographs of scikit-learn show.
PALACE, DAISY = 698, 985


def photograph(name: str) -> Tensor:
    """The middle square, (1, 3, 224, 224) in [0, 1]."""
    image = torch.tensor(load_sample_image(name)).permute(2, 0, 1)[None].float() / 255
    side = min(image.shape[-2:])
    top, left = ((length - side) // 2 for length in image.shape[-2:])
    image = image[..., top : top + side, left : left + side]
    return functional.interpolate(image, (224, 224), mode="bicubic", antialias=True).clamp(0, 1)


@pytest.mark.parametrize(("name", "expected"), [("china.jpg", PALACE), ("flower.jpg", DAISY)])
def test_photographs_are_recognised(name: str, expected: int) -> None:
    network = build_model(ModelSpec(name="tf_efficientnet_lite0"), classes=1000, channels="rgb")
    proof = load_published(network, "tf_efficientnet_lite0", ignore_head=False)
    assert str(proof).startswith("296 of 296 tensors, sha256 ")
    with torch.no_grad():
        assert network.eval()(photograph(name)).logits.argmax().item() == expected
