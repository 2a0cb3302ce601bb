from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from medistill.export.onnx_graph import export_onnx
from medistill.imaging.preprocessing import Preprocessing
from medistill.models.network import Network
from medistill.models.outputs import Outputs


class Tiny(nn.Module):
    """A convolution and a linear head: exports in a blink, yet has every kind of output."""

    def __init__(self, channels: int = 1, classes: int = 2, sneaky: float = 0.0) -> None:
        super().__init__()
        self.channels, self.classes, self.sneaky = channels, classes, sneaky
        self.stem = nn.Conv2d(channels, 4, 3, stride=2)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, classes)

    @property
    def feature_names(self) -> frozenset[str]:
        return frozenset({"pooled", "stage0"})

    def forward(self, x: Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        stage = self.norm(self.stem(x)).relu()
        features = {"pooled": stage.mean((2, 3)), "stage0": stage}
        logits = self.head(features["pooled"])
        if self.sneaky and torch.compiler.is_exporting():
            logits = logits * (1 + self.sneaky)
        return Outputs(logits, {name: features[name] for name in sorted(want)})


def tiny_network(*, colour: bool = False, **changes: float) -> Network:
    """A network whose normalisation matters, on images of 8 x 8."""
    torch.manual_seed(0)
    backbone = Tiny(3 if colour else 1, **changes)  # type: ignore[arg-type]
    nn.init.normal_(backbone.head.weight, std=3.0)
    mean, std = ((0.4, 0.5, 0.6), (0.1, 0.2, 0.3)) if colour else ((0.3,), (0.2,))
    seen = Preprocessing(size=8, mean=mean, std=std, channels="rgb" if colour else "gray")
    network = Network(backbone, seen)
    network(torch.rand(16, *network.input_shape))  # running statistics that are not the first ones
    return network


def pictures(network: Network, count: int) -> NDArray[np.float32]:
    shape = (count, *network.input_shape)
    return np.random.default_rng(7).random(shape, dtype=np.float32)


@pytest.fixture
def network() -> Network:
    return tiny_network()


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The graph of ``tiny_network()``, exported once: an export takes seconds."""
    path = tmp_path_factory.mktemp("exported") / "student.onnx"
    return export_onnx(tiny_network(), path).path.read_bytes()


@pytest.fixture
def graph(exported: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "g.onnx"
    path.write_bytes(exported)
    return path
