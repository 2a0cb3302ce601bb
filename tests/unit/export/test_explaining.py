from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from medistill.export.explaining import explaining
from medistill.export.onnx_graph import export_onnx
from medistill.models.build import ModelSpec, build_model
from medistill.serve.relevance import attention_rollout
from tests.elsewhere import elsewhere
from tests.unit.export.conftest import tiny_network

VIT = ModelSpec(
    name="vit", image_size=16, patch_size=8, width=8, depth=2, heads=2, channels=1, distilled=True
)


def test_a_transformer_gives_its_attention(tmp_path: Path) -> None:
    network = build_model(VIT, classes=2, stored_size=16).eval()
    found = explaining(network)
    assert found is not None
    info = export_onnx(found[0], tmp_path / "g.onnx", outputs=found[1])
    image = torch.rand(1, 1, 16, 16)
    session = onnxruntime.InferenceSession(info.path, providers=["CPUExecutionProvider"])
    values = session.run(["attention.0", "attention.1"], {"image": image.numpy()})
    with torch.inference_mode():
        expected = network(image, frozenset({"attention.1"})).features["attention.1"].numpy()
    np.testing.assert_allclose(values[1], expected, atol=1e-5)
    assert attention_rollout([value[0] for value in values]).shape == (2, 2)


@pytest.mark.parametrize("name", ["mobilevit_xxs", "tf_efficientnet_lite0"])
def test_a_convolutional_student_gives_maps_whose_mean_is_the_logit(name: str) -> None:
    network = build_model(ModelSpec(name=name, image_size=64), classes=3, stored_size=64).eval()
    found = explaining(network)
    assert found is not None
    wrapped, outputs = found
    images = torch.rand(2, *network.input_shape)
    with torch.inference_mode():
        said = wrapped(images, frozenset(outputs))
        logits = network(images).logits
    bias = network.backbone.get_submodule("model").get_classifier().bias
    means = said.features["class-activation"].mean((2, 3)) + bias
    torch.testing.assert_close(said.logits, logits)
    torch.testing.assert_close(means, logits, atol=1e-4, rtol=1e-4)


def test_a_student_on_another_device_is_explained_too() -> None:
    spec = ModelSpec(name="tf_efficientnet_lite0", image_size=64)
    network = build_model(spec, classes=3, stored_size=64).eval()
    with elsewhere() as there:
        found = explaining(network.to(there))
    assert found is not None


def test_a_head_that_is_not_linear_in_the_maps_is_not_explained() -> None:
    spec = ModelSpec(name="mobilenetv3_small_050", image_size=64)
    assert explaining(build_model(spec, classes=2, stored_size=64).eval()) is None


def test_a_network_of_another_kind_is_not_explained() -> None:
    assert explaining(tiny_network().eval()) is None
