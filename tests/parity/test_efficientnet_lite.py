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


def photograph(name: str, size: int) -> Tensor:
    """The middle square, (1, 3, size, size) in [0, 1]."""
    image = torch.tensor(load_sample_image(name)).permute(2, 0, 1)[None].float() / 255
    side = min(image.shape[-2:])
    top, left = ((length - side) // 2 for length in image.shape[-2:])
    image = image[..., top : top + side, left : left + side]
    return functional.interpolate(image, (size, size), mode="bicubic", antialias=True).clamp(0, 1)


# The larger two take the flower, on which an insect sits, for honeycomb or for nothing much.
@pytest.mark.parametrize(
    ("model", "size", "tensors", "name", "expected"),
    [
        ("tf_efficientnet_lite0", 224, 296, "china.jpg", PALACE),
        ("tf_efficientnet_lite0", 224, 296, "flower.jpg", DAISY),
        ("tf_efficientnet_lite1", 240, 386, "china.jpg", PALACE),
        ("tf_efficientnet_lite2", 260, 386, "china.jpg", PALACE),
    ],
)
def test_photographs_are_recognised(
    model: str, size: int, tensors: int, name: str, expected: int
) -> None:
    network = build_model(ModelSpec(name=model, image_size=size), classes=1000, channels="rgb")
    proof = load_published(network, model, ignore_head=False)
    assert str(proof).startswith(f"{tensors} of {tensors} tensors, sha256 ")
    with torch.no_grad():
        assert network.eval()(photograph(name, size)).logits.argmax().item() == expected
