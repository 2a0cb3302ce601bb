from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from medistill.export.latency import latencies
from medistill.export.onnx_graph import export_onnx
from medistill.imaging.preprocessing import Preprocessing
from medistill.models.network import Network
from medistill.models.outputs import Outputs
from medistill.models.profile import count_parameters
from medistill.models.vit import VisionTransformer
from tests.unit.export.conftest import Tiny, tiny_network


class Unsayable(Tiny):
    """A network that ONNX has no words for."""

    def forward(self, x: Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        return Outputs(torch.linalg.svdvals(x[:, 0])[:, :2], {})


def large() -> Network:
    backbone = VisionTransformer(
        image_size=64, patch_size=8, width=128, depth=3, heads=2, classes=2, channels=1
    )
    return Network(backbone, Preprocessing(size=64, mean=(0.5,), std=(0.5,)))


def test_networks_are_timed_as_graphs_of_one_runtime(tmp_path: Path) -> None:
    networks = {"teacher": large().train(), "student": tiny_network()}
    shipped = {"pooled": "pooled"}
    found = latencies(networks, runs=5, opset=19, outputs={"student": shipped})
    graph = export_onnx(tiny_network(), tmp_path / "g.onnx", opset=19, outputs=shipped)
    assert found.graph_bytes["student"] == graph.size
    assert (found.runtime, found.problem) == ("onnxruntime", None)
    # 30 M multiply-adds against some thousand.
    assert found.milliseconds["teacher"] > 3 * found.milliseconds["student"]
    assert found.graph_bytes["teacher"] > 4 * count_parameters(networks["teacher"])
    assert networks["teacher"].training


@pytest.mark.parametrize("training", [True, False])
def test_one_that_cannot_be_exported_takes_all_of_them_to_pytorch(training: bool) -> None:
    unsayable = Network(Unsayable(), Preprocessing(size=8, mean=(0.5,), std=(0.5,)))
    threads = torch.get_num_threads()
    found = latencies(
        {"teacher": unsayable.train(training), "student": large()}, threads=threads + 1, runs=3
    )
    assert found.runtime == "eager PyTorch"
    assert found.problem is not None
    assert "cannot be written as ONNX" in found.problem
    assert found.milliseconds["student"] > 0
    assert found.graph_bytes == {}
    assert (torch.get_num_threads(), unsayable.training) == (threads, training)


def test_a_graph_that_is_not_the_network_is_not_timed() -> None:
    found = latencies({"teacher": tiny_network(sneaky=0.5)}, runs=1)
    assert found.runtime == "eager PyTorch"
    assert found.problem is not None
    assert "differs from the network" in found.problem
