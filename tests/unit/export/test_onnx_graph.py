from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from medistill.core.errors import ExportError, UnknownNameError
from medistill.export import onnx_graph
from medistill.export.onnx_graph import export_onnx, forget_graphs
from medistill.imaging.preprocessing import Preprocessing
from medistill.models.network import Network
from medistill.models.outputs import Outputs
from medistill.models.timm_bridge import TimmModel
from medistill.models.vit import VisionTransformer
from tests.unit.export.conftest import pictures, tiny_network


def assert_same(network: Network, path: Path, *, bound: float = 1e-5) -> None:
    """Hold a graph against its network for a batch of one and of five."""
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    network.eval()
    for count in (1, 5):
        images = pictures(network, count)
        (found,) = session.run(["logits"], {"image": images})
        with torch.inference_mode():
            expected = network(torch.from_numpy(images)).logits.numpy()
        np.testing.assert_allclose(found, expected, atol=bound * max(1, np.abs(expected).max()))


@pytest.fixture(autouse=True)
def _silent(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever is exported here, nothing may reach the console."""
    yield
    assert capfd.readouterr() == ("", "")


def test_a_gray_network(network: Network, graph: Path) -> None:
    assert_same(network, graph)


def test_an_rgb_network_and_what_is_said_of_the_graph(tmp_path: Path) -> None:
    network = tiny_network(colour=True)
    info = export_onnx(network, tmp_path / "student.onnx")
    assert_same(network, info.path)
    assert info.input_shape == (3, 8, 8)
    assert (info.opset, info.input, info.outputs) == (18, "image", {"logits": "logits"})
    assert info.size == info.path.stat().st_size


def test_our_vit_distilled_with_attention_as_an_output(tmp_path: Path) -> None:
    torch.manual_seed(1)
    sizes = {"image_size": 16, "patch_size": 8, "width": 12, "depth": 2, "heads": 2}
    vit = VisionTransformer(**sizes, classes=3, distilled=True)
    # One gray channel in, shown to the backbone thrice.
    network = Network(vit, Preprocessing(size=16))
    assert network.input_shape == (1, 16, 16)
    info = export_onnx(network, tmp_path / "v.onnx", outputs={"attention": "attention.1"})
    assert_same(network, info.path)
    session = onnxruntime.InferenceSession(info.path, providers=["CPUExecutionProvider"])
    (attention,) = session.run(["attention"], {"image": pictures(network, 3)})
    assert attention.shape == (3, 2, 6, 6)
    np.testing.assert_allclose(attention.sum(-1), 1.0, atol=1e-5)


@pytest.mark.slow
def test_efficientnet_of_timm(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = Network(TimmModel("tf_efficientnet_lite0", classes=2), Preprocessing(size=32))
    info = export_onnx(network, tmp_path / "lite0.onnx")
    assert_same(network, info.path, bound=1e-4)
    assert [file.name for file in tmp_path.iterdir()] == ["lite0.onnx"]


def test_signature(graph: Path) -> None:
    model = onnx.load(graph)
    assert [(item.domain, item.version) for item in model.opset_import] == [("", 18)]
    (image,), (logits,) = model.graph.input, model.graph.output
    assert (image.name, logits.name) == ("image", "logits")
    dimensions = [item.dim_param or item.dim_value for item in image.type.tensor_type.shape.dim]
    assert dimensions == ["batch", 1, 8, 8]
    assert image.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_features_become_outputs_on_request(network: Network, tmp_path: Path) -> None:
    info = export_onnx(network, tmp_path / "g.onnx", outputs={"map": "stage0", "pooled": "pooled"})
    assert info.outputs == {"logits": "logits", "map": "stage0", "pooled": "pooled"}
    session = onnxruntime.InferenceSession(info.path, providers=["CPUExecutionProvider"])
    images = pictures(network, 3)
    found = session.run(["map", "pooled"], {"image": images})
    with torch.inference_mode():
        wanted = frozenset({"stage0", "pooled"})
        features = network.eval()(torch.from_numpy(images), wanted).features
    np.testing.assert_allclose(found[0], features["stage0"], atol=1e-5)
    np.testing.assert_allclose(found[1], features["pooled"], atol=1e-5)


def test_an_unknown_feature_is_refused(network: Network, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no feature is called 'stage1'"):
        export_onnx(network, tmp_path / "g.onnx", outputs={"map": "stage1"})


def test_the_file_names_nothing_of_this_machine(exported: bytes) -> None:
    for secret in (str(Path(__file__).parent), sys.prefix, "site-packages", "stack_trace", ".py"):
        assert secret.encode() not in exported


def test_the_bytes_depend_on_the_network_alone_and_leave_it_as_it_was(
    exported: bytes, tmp_path: Path
) -> None:
    """Neither on the mode nor on the precision in which it is held."""
    forget_graphs()
    network = tiny_network().double().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert export_onnx(network, tmp_path / "g.onnx").path.read_bytes() == exported
    assert all(module.training for module in network.modules())
    for name, value in network.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name])


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Graphs that are truly made are numbers in the order of their making."""
    count = itertools.count()
    monkeypatch.setattr(onnx_graph, "_serialised", lambda *_: str(next(count)).encode())
    forget_graphs()
    yield
    forget_graphs()


def changed(part: str, **values: object) -> Network:
    """The tiny network with other attributes of one of its parts."""
    network = tiny_network()
    for name, value in values.items():
        setattr(network.get_submodule(part), name, value)
    return network


@pytest.mark.usefixtures("numbered")
def test_a_graph_is_made_anew_for_whatever_it_depends_on(tmp_path: Path) -> None:
    def graph(network: Network, **options: Any) -> bytes:
        return export_onnx(network, tmp_path / "g.onnx", **options).path.read_bytes()

    weights = nn.Parameter(torch.full((2,), 0.25))
    made = [
        graph(tiny_network()),
        graph(changed("backbone.head", bias=weights)),
        graph(changed("backbone.norm", running_mean=torch.full((4,), 0.25))),
        graph(changed("backbone.norm", eps=0.1)),
        graph(changed("backbone.stem", stride=(1, 1))),
        graph(changed("", mean=torch.full((1, 1, 1, 1), 0.25))),
        graph(changed("", preprocessing=Preprocessing(size=16, mean=(0.3,), std=(0.2,)))),
        graph(tiny_network(sneaky=0.5)),
        graph(tiny_network(colour=True)),
        graph(tiny_network(), opset=20),
        graph(tiny_network(), outputs={"pooled": "pooled"}),
        graph(tiny_network(), outputs={"mean": "pooled"}),
        graph(tiny_network(), outputs={"map": "stage0"}),
    ]
    assert made == [str(number).encode() for number in range(len(made))]
    # The very same one is remembered, and neither mode nor precision makes it another.
    assert graph(tiny_network().double().train()) == made[0]
    assert graph(tiny_network(), outputs={"map": "stage0"}) == made[-1]


@pytest.mark.usefixtures("numbered")
def test_the_oldest_graphs_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_graph, "_KEPT", 2)
    opsets = (18, 19, 20, 20, 19, 18)
    paths = [
        export_onnx(tiny_network(), tmp_path / f"{n}.onnx", opset=opset).path
        for n, opset in enumerate(opsets)
    ]
    assert [path.read_text() for path in paths] == ["0", "1", "2", "2", "1", "3"]


class Unsayable(nn.Module):
    channels, classes, feature_names = 1, 2, frozenset[str]()

    def forward(self, x: Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        return Outputs(torch.linalg.svdvals(x[:, 0])[:, :2], {})


def test_a_network_that_onnx_cannot_say_is_refused_in_one_sentence(tmp_path: Path) -> None:
    network = Network(Unsayable(), Preprocessing(size=8, mean=(0.5,), std=(0.5,)))
    with pytest.raises(ExportError, match="cannot be written as ONNX") as caught:
        export_onnx(network, tmp_path / "g.onnx")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_network_beyond_one_file_is_refused_before_the_work(tmp_path: Path) -> None:
    network = tiny_network()
    with torch.device("meta"):
        network.backbone.head = nn.Linear(2**15, 2**15)
    with pytest.raises(ExportError, match="larger than 2 GiB"):
        export_onnx(network, tmp_path / "g.onnx")


QUIET = """
import sys
from pathlib import Path
from medistill.export.onnx_graph import export_onnx
from tests.unit.export.conftest import tiny_network
export_onnx(tiny_network(), Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_nothing_is_said_on_the_console_by_the_first_export_of_a_process(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    code = f"import sys; sys.path[:0] = [{str(root)!r}, {str(root / 'src')!r}]\n{QUIET}"
    found = subprocess.run(
        [sys.executable, "-W", "always", "-c", code, str(tmp_path / "g.onnx")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert (found.stdout, found.stderr) == ("", "")
