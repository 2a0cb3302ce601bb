"""Normalisation inside the network, and teachers and students that differ in it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from medistill.imaging.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from medistill.models.network import Network, feature_shapes
from medistill.models.outputs import Outputs
from medistill.models.vit import VisionTransformer


class Mirror(nn.Module):
    """A backbone whose feature is what it is given."""

    classes = 1
    feature_names = frozenset({"input"})

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        return Outputs(x.mean((1, 2, 3))[:, None] * self.weight, {"input": x} if want else {})


def vit(size: int, classes: int = 2, channels: int = 3) -> VisionTransformer:
    return VisionTransformer(
        image_size=size,
        patch_size=8,
        width=16,
        depth=1,
        heads=2,
        classes=classes,
        channels=channels,
    )


def test_gray_is_shown_to_a_three_channel_backbone_channel_by_channel() -> None:
    network = Network(Mirror(3), Preprocessing(size=2, mean=IMAGENET_MEAN, std=IMAGENET_STD))
    seen = network(torch.full((1, 1, 2, 2), 0.5), frozenset({"input"})).features["input"]
    by_hand = [(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225]
    assert seen.shape == (1, 3, 2, 2)
    assert seen[0, :, 0, 0].tolist() == pytest.approx(by_hand, abs=1e-6)


def test_one_mean_serves_all_channels() -> None:
    network = Network(Mirror(3), Preprocessing(size=2, mean=(0.5,), std=(0.25,)))
    seen = network(torch.ones(1, 3, 2, 2), frozenset({"input"})).features["input"]
    torch.testing.assert_close(seen, torch.full((1, 3, 2, 2), 2.0))


def test_teacher_and_student_differ_in_size_and_normalisation() -> None:
    teacher = Network(vit(32), Preprocessing(size=32))
    student = Network(vit(16, channels=1), Preprocessing(size=16, mean=(0.5,), std=(0.5,)))
    assert teacher.input_shape == (1, 32, 32)
    assert student.input_shape == (1, 16, 16)
    black = torch.zeros(2, 1, 32, 32)
    assert teacher(black).logits.shape == student(black[..., :16, :16]).logits.shape == (2, 2)
    torch.testing.assert_close(
        teacher(black).logits,
        teacher.backbone((black.expand(-1, 3, -1, -1) - teacher.mean) / teacher.std).logits,
    )


def test_state_dict_is_the_backbones_alone() -> None:
    network = Network(vit(16), Preprocessing(size=16))
    assert {name.partition(".")[0] for name in network.state_dict()} == {"backbone"}


def test_normalisation_moves_with_the_network() -> None:
    assert Network(Mirror(3), Preprocessing(size=2)).to(torch.float64).mean.dtype == torch.float64


def test_three_channels_for_a_gray_backbone_are_refused() -> None:
    network = Network(Mirror(1), Preprocessing(size=2, mean=(0.5,), std=(0.5,)))
    with pytest.raises(ValueError, match="3 channels for a backbone of 1"):
        network(torch.zeros(1, 3, 2, 2))


def test_normalisation_for_another_backbone_is_refused() -> None:
    with pytest.raises(ValueError, match="mean has 3 values, the backbone 1"):
        Network(Mirror(1), Preprocessing(size=2))


@pytest.mark.parametrize("training", [True, False])
def test_feature_shapes_leave_the_mode_as_it_was(training: bool) -> None:
    network = Network(vit(16), Preprocessing(size=16)).train(training)
    shapes = dict(feature_shapes(network, frozenset({"pooled", "tokens.0"})))
    assert shapes.pop("image") == network.input_shape
    assert shapes == {"logits": (2,), "pooled": (16,), "tokens.0": (5, 16)}
    assert network.training is training
