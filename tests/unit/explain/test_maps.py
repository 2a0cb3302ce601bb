from __future__ import annotations

import pytest
import torch

from medistill.explain.maps import CAM, GRADIENT, ROLLOUT, explain_batch, map_names
from medistill.explain.rollout import attention_rollout
from medistill.models.build import ModelSpec, build_model
from medistill.models.network import Network
from medistill.models.probe import probed
from tests.elsewhere import elsewhere

VIT = {"patch_size": 8, "width": 16, "depth": 2, "heads": 2}


def network(name: str, **values: object) -> Network:
    torch.manual_seed(0)
    spec = ModelSpec(name=name, image_size=32, **values)  # type: ignore[arg-type]
    return build_model(spec, classes=2, channels="gray").eval()


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (lambda: network("vit", **VIT), (GRADIENT, CAM, ROLLOUT)),
        (lambda: network("vit", **VIT, distilled=True), (GRADIENT, CAM, ROLLOUT)),
        (lambda: network("timm/vit_tiny_patch16_224"), (GRADIENT, CAM, ROLLOUT)),
        (lambda: network("timm/resnet10t"), (CAM,)),
        (lambda: probed(network("vit", **VIT)).eval(), (GRADIENT, CAM, ROLLOUT)),
        (lambda: probed(network("timm/resnet10t")).eval(), (CAM,)),
    ],
)
def test_every_architecture_has_maps_of_the_images_size(model, names) -> None:
    student = model().requires_grad_(False)
    images = torch.rand(2, 1, 32, 32)
    found = explain_batch(student, images, torch.tensor([0, 1]))
    assert map_names(student) == tuple(found) == names
    for each in found.values():
        assert each.shape == (2, 32, 32)
        assert each.min() >= 0
        assert each.max() <= 1


def test_a_probe_is_explained_through_its_body() -> None:
    body = network("vit", **VIT)
    probe = probed(body).eval()
    images, classes = torch.rand(2, 1, 32, 32), torch.tensor([1, 1])
    silent, plain = explain_batch(probe, images, classes), explain_batch(body, images, classes)
    # No class reads anything yet; the attention that rolls out is the body's.
    assert not silent[GRADIENT].any()
    torch.testing.assert_close(silent[ROLLOUT], plain[ROLLOUT], rtol=1e-3, atol=1e-4)
    torch.nn.init.normal_(probe.backbone.head.weight)
    assert explain_batch(probe, images, classes)[GRADIENT].any()


def test_the_map_of_an_image_does_not_depend_on_its_batch() -> None:
    student, images = network("vit", **VIT), torch.rand(3, 1, 32, 32)
    classes = torch.tensor([0, 1, 0])
    together = explain_batch(student, images, classes)
    alone = explain_batch(student, images[1:2], classes[1:2])
    for name, each in together.items():
        torch.testing.assert_close(each[1:2], alone[name], rtol=1e-3, atol=1e-4)


class Bright(torch.nn.Module):
    """Says class 1 as loudly as the brightest patch of a convolution is bright."""

    channels, classes = 1, 2
    feature_names = frozenset({"stage0"})

    def forward(self, x, want=frozenset()):
        from medistill.models.outputs import Outputs

        maps = torch.nn.functional.avg_pool2d(x, 8)
        score = maps.flatten(1).logsumexp(dim=1)
        return Outputs(torch.stack([-score, score], dim=1), {name: maps for name in want})


def test_grad_cam_finds_what_the_class_hangs_on() -> None:
    from medistill.imaging.preprocessing import Preprocessing

    seen = Preprocessing(size=32, mean=(0.0,), std=(1.0,), channels="gray")
    model = Network(Bright(), seen)
    images = torch.zeros(1, 1, 32, 32)
    images[0, 0, 8:16, 24:32] = 1
    found = explain_batch(model, images, torch.tensor([1]))[CAM][0]
    assert (found[8:16, 24:32] > 0.3).all()
    assert not found[20:, :16].any()
    assert not explain_batch(model, images, torch.tensor([0]))[CAM].any()


def test_roll_out_follows_every_layer() -> None:
    student, images = network("vit", **VIT), torch.rand(2, 1, 32, 32)
    features = student(images, frozenset({"attention.0", "attention.1"})).features
    layers = [features["attention.0"], features["attention.1"]]
    expected = attention_rollout(layers, prefix=1).reshape(2, 1, 4, 4)
    expected = torch.nn.functional.interpolate(expected, size=(32, 32), mode="bilinear")[:, 0]
    expected = expected / expected.amax(dim=(1, 2), keepdim=True)
    found = explain_batch(student, images, torch.tensor([0, 1]))[ROLLOUT]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["vit", "timm/resnet10t"])
def test_maps_come_back_from_the_networks_device(name: str) -> None:
    student = network(name, **(VIT if name == "vit" else {}))
    images, classes = torch.rand(2, 1, 32, 32), torch.tensor([0, 1])
    expected = explain_batch(student, images, classes)
    with elsewhere() as there:
        found = explain_batch(student.to(there), images, classes)
        assert {each.device.type for each in found.values()} == {"cpu"}
    for method, each in expected.items():
        torch.testing.assert_close(found[method], each)
