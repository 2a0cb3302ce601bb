from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from medistill.core.errors import ExportError
from medistill.export.parity import check_parity
from medistill.imaging.preprocessing import Preprocessing
from medistill.models.network import Network
from medistill.models.outputs import Outputs
from tests.unit.bundle.handmade import graph_for_four_images, linear_graph
from tests.unit.export.conftest import pictures


class _Mean(nn.Module):
    """Logits (m, 0) of the mean m of the image."""

    channels, classes, feature_names = 1, 2, frozenset[str]()

    def forward(self, x: Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        mean = x.mean((1, 2, 3))
        return Outputs(torch.stack([mean, torch.zeros_like(mean)], dim=1), {})


def test_a_faithful_graph_passes_and_says_how_far_it_is(network: Network, graph: Path) -> None:
    parity = check_parity(network, graph, pictures(network, 37), batch_size=8)
    assert parity.largest_difference < 1e-6
    assert (parity.agreement, parity.images, parity.bound) == (1.0, 37, 1e-4)
    assert str(parity).endswith("(bound 0.0001), labels agree on 100.00% of 37 images")


def test_a_network_that_was_modified_after_the_export_fails(network: Network, graph: Path) -> None:
    with torch.no_grad():
        network.backbone.head.bias[0] += 0.1
    with pytest.raises(ExportError, match="the graph differs from the network: largest difference"):
        check_parity(network, graph, pictures(network, 8))


def test_the_difference_is_that_of_probabilities(network: Network, graph: Path) -> None:
    images = pictures(network, 8)
    with torch.inference_mode():
        before = network.eval()(torch.from_numpy(images)).logits.softmax(1)
        network.backbone.head.bias[1] += 0.1
        after = network(torch.from_numpy(images)).logits.softmax(1)
    parity = check_parity(network, graph, images, bound=1.0)
    expected = float((before - after).abs().max())
    assert parity.largest_difference == pytest.approx(expected, abs=1e-6)


def test_agreement_counts_images(network: Network, tmp_path: Path) -> None:
    """A graph that answers class 1 always, against a network that answers by the image."""
    path = tmp_path / "constant.onnx"
    path.write_bytes(linear_graph([[0.0], [0.0]], [0.0, 1.0], size=8))
    images = pictures(network, 20)
    with torch.inference_mode():
        logits = network.eval()(torch.from_numpy(images)).logits
        gaps = (logits[:, 1] - logits[:, 0]).sort().values
        # Class 1 is left with the 5 images of the widest gap.
        network.backbone.head.bias[1] -= (gaps[14] + gaps[15]) / 2
    parity = check_parity(network, path, images, bound=1.0)
    assert parity.agreement == 0.25


def test_the_largest_difference_rules_and_not_the_mean(tmp_path: Path) -> None:
    """One image in 64 is off by more than the bound, the mean by less."""
    network = Network(_Mean(), Preprocessing(size=8, mean=(0.0,), std=(1.0,)))
    path = tmp_path / "g.onnx"
    path.write_bytes(linear_graph([[1.001], [0.0]], [0.0, 0.0], size=8))
    images = np.zeros((64, 1, 8, 8), np.float32)
    assert check_parity(network, path, images).largest_difference == 0
    images[40] = 1
    # By hand: the derivative of 1 / (1 + exp(-m)) at 1 is .1966, times .001.
    with pytest.raises(ExportError, match=r"largest difference of probabilities 0.0002 "):
        check_parity(network, path, images)


def test_the_network_may_be_in_training_mode(network: Network, graph: Path) -> None:
    network.train()
    assert check_parity(network, graph, pictures(network, 4)).largest_difference < 1e-6
    assert network.training


def test_no_images_prove_nothing(network: Network, graph: Path) -> None:
    with pytest.raises(ExportError, match="there is no image to check the graph with"):
        check_parity(network, graph, pictures(network, 0))


def test_a_graph_fixed_to_one_batch_size_fails(network: Network, graph: Path) -> None:
    model = onnx.load(graph)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 4
    onnx.save(model, graph)
    with pytest.raises(ExportError, match="the graph does not run"):
        check_parity(network, graph, pictures(network, 8), batch_size=4)


def test_a_graph_that_fails_inside_is_one_sentence_and_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    network = Network(_Mean(), Preprocessing(size=4, mean=(0.0,), std=(1.0,)))
    (tmp_path / "g.onnx").write_bytes(graph_for_four_images())
    with pytest.raises(ExportError, match="the graph does not run") as caught:
        check_parity(network, tmp_path / "g.onnx", pictures(network, 8), batch_size=4)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_bytes_that_are_no_graph(network: Network, tmp_path: Path) -> None:
    (tmp_path / "g.onnx").write_bytes(b"nonsense")
    with pytest.raises(ExportError, match="the graph does not run") as caught:
        check_parity(network, tmp_path / "g.onnx", pictures(network, 2))
    assert "\n" not in str(caught.value)


def test_numbers_that_are_not_finite_fail(network: Network, graph: Path) -> None:
    with torch.no_grad():
        network.backbone.head.bias[0] = math.nan
    with pytest.raises(ExportError, match="not a finite number"):
        check_parity(network, graph, pictures(network, 2))


def test_another_number_of_classes_fails(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "g.onnx"
    path.write_bytes(linear_graph(np.ones((3, 1)), np.zeros(3), size=8))
    with pytest.raises(ExportError, match=r"gives logits of shape \(3,\)"):
        check_parity(network, path, pictures(network, 2))


def test_multi_label_agrees_only_where_every_label_does(tmp_path: Path) -> None:
    """Logits (m, 0) against (.5 - m, 0): one of two labels differs on three of four images."""
    network = Network(_Mean(), Preprocessing(size=8, mean=(0.0,), std=(1.0,)))
    path = tmp_path / "g.onnx"
    path.write_bytes(linear_graph([[-1.0], [0.0]], [0.5, 0.0], size=8))
    levels = np.array([0.3, 0.6, 0.7, 0.8], np.float32)
    images = np.broadcast_to(levels[:, None, None, None], (4, 1, 8, 8)).copy()
    parity = check_parity(network, path, images, bound=1.0, task="multi-label")
    assert parity.agreement == 0.25
    # By hand, at m = .8: 1 / (1 + exp(-.8)) - 1 / (1 + exp(.3)) = .6900 - .4256
    assert parity.largest_difference == pytest.approx(0.2644, abs=1e-4)
