"""Sliding windows: they cover the canvas, agree with one pass, and weigh their middle more."""

from __future__ import annotations

import pytest
import torch

from medistill.core.errors import RecipeError
from medistill.models.build import build_model
from medistill.models.network import Network, feature_shapes
from medistill.models.sliding import Windows, starts
from medistill.models.spec import ModelSpec


@pytest.mark.parametrize(
    ("length", "expected"), [(10, [0]), (16, [0]), (17, [0, 1]), (40, [0, 8, 16, 24])]
)
def test_windows_cover_a_side(length: int, expected: list[int]) -> None:
    assert starts(length, 16, 8) == expected


@pytest.mark.parametrize("canvas", [16, 23, 40])
@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_what_each_pixel_says_of_itself_comes_back(canvas: int, overlap: float) -> None:
    windows, images = (
        Windows(canvas=canvas, window=16, overlap=overlap),
        torch.randn(2, 3, canvas, canvas),
    )
    torch.testing.assert_close(windows.blend(list(windows.cut(images))), images)


def test_the_middle_counts_more_than_the_edge() -> None:
    """Two windows of 16 on 24 pixels share 8 columns; e^(-z^2 / 2) weighs them, z in units of 2."""
    windows = Windows(canvas=24, window=16, overlap=0.5)
    says = [torch.full((1, 1, 16, 16), float(left == 0)) for _, left in windows.corners]
    blended = windows.blend(says)[0, 0, 4]  # a line that the lower windows do not reach
    left = torch.exp(torch.tensor(-0.5 * ((9 - 7.5) / 2) ** 2))
    right = torch.exp(torch.tensor(-0.5 * ((9 - 8 - 7.5) / 2) ** 2))
    assert blended[9].item() == pytest.approx((left / (left + right)).item(), rel=1e-5)
    assert (blended[0].item(), blended[23].item()) == (1.0, 0.0)


def network(**given: object) -> Network:
    torch.manual_seed(0)
    values = {"name": "resnet18", "image_size": 32, "decoder": "mlp", "decoder_width": 8, **given}
    return build_model(ModelSpec(**values), classes=2).eval()  # type: ignore[arg-type]


def test_a_network_answers_about_views_and_canvases() -> None:
    sliding, plain = network(canvas=48), network()
    assert (sliding.view_size, sliding.input_shape) == (32, (1, 48, 48))
    assert plain.view_size == 32
    assert sliding.state_dict().keys() == plain.state_dict().keys()
    view, canvas = torch.rand(2, 1, 32, 32), torch.rand(2, 1, 48, 48)
    torch.testing.assert_close(sliding(view).logits, plain(view).logits)
    said = sliding(canvas, frozenset({"pooled"}))
    assert said.logits.shape == (2, 2, 48, 48)
    corner = plain(canvas[..., :32, :32]).logits[..., 0, 0]
    torch.testing.assert_close(said.logits[..., 0, 0], corner)
    parts = [
        plain(canvas[..., t : t + 32, left : left + 32], frozenset({"pooled"}))
        for t in (0, 16)
        for left in (0, 16)
    ]
    mean = torch.stack([part.features["pooled"] for part in parts]).mean(dim=0)
    torch.testing.assert_close(said.features["pooled"], mean)
    assert feature_shapes(sliding, frozenset({"coarse"}))["coarse"] == (2, 8, 8)


def test_a_canvas_has_no_maps() -> None:
    with pytest.raises(ValueError, match="a canvas has no level0"):
        network(canvas=48)(torch.rand(1, 1, 48, 48), frozenset({"level0"}))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"canvas": 24}, "student.canvas: 24 pixels are fewer than a window of 32"),
        ({"canvas": 48, "overlap": 1.0}, "student.overlap: windows cannot overlap by 1.0"),
        ({"canvas": 48, "decoder": None}, "student.canvas: windows are for masks"),
    ],
)
def test_impossible_windows_are_refused(given: dict[str, object], message: str) -> None:
    spec = ModelSpec(**{"name": "resnet18", "image_size": 32, "decoder": "mlp", **given})  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match=message):
        build_model(spec, classes=2, where="student")


@pytest.mark.parametrize(("canvas", "overlap"), [(16, 1.0), (8, 0.5)])
def test_impossible_values_are_a_mistake(canvas: int, overlap: float) -> None:
    with pytest.raises(ValueError, match="window"):
        Windows(canvas=canvas, window=16, overlap=overlap)
