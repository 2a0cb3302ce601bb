"""Sliding windows: they cover the image, agree with one pass, and pad what is small."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from medistill.imaging.preprocessing import Preprocessing
from medistill.models.network import Network
from medistill.models.outputs import Outputs
from medistill.models.sliding import predict_windows, starts


class Pointwise(nn.Module):
    """Says of each pixel what its own value says, so windows cannot differ."""

    channels, classes = 1, 2
    feature_names: frozenset[str] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        return Outputs(torch.cat([-x, x], dim=1) * self.scale, {})


def network() -> Any:
    return Network(Pointwise(), Preprocessing(size=16, mean=(0.5,), std=(0.5,)))


@pytest.mark.parametrize(
    ("length", "expected"), [(10, [0]), (16, [0]), (17, [0, 1]), (40, [0, 8, 16, 24])]
)
def test_windows_cover_a_side(length: int, expected: list[int]) -> None:
    assert starts(length, 16, 8) == expected


@pytest.mark.parametrize("shape", [(40, 23), (16, 16), (9, 30)])
@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_windows_agree_with_the_whole(shape: tuple[int, int], overlap: float) -> None:
    images = torch.rand(2, 1, *shape)
    found = predict_windows(network(), images, overlap=overlap)
    assert found.shape == (2, 2, *shape)
    expected = torch.softmax(_scores(images), dim=1)
    torch.testing.assert_close(found, expected)


def _scores(images: Tensor) -> Tensor:
    normalised = (images - 0.5) / 0.5
    return torch.cat([-normalised, normalised], dim=1)


def test_an_impossible_overlap_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="cannot overlap by 1"):
        predict_windows(network(), torch.rand(1, 1, 20, 20), overlap=1.0)
