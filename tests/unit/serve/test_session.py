from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from medistill.bundle.bundle import open_bundle
from medistill.bundle.engine import Engine, open_engine
from medistill.core.errors import BundleError, MissingExtraError
from medistill.serve import session as session_module
from medistill.serve.session import available_cores, open_session
from tests.unit.bundle.handmade import (
    document,
    graph_for_four_images,
    gray_bundle,
    linear_graph,
    with_graph,
    write_bundle,
)


def test_a_graph_runs_for_any_batch_size(tmp_path: Path) -> None:
    session = open_session(open_bundle(gray_bundle(tmp_path / "b")), threads=1)
    for count in (1, 5):
        logits = session.run(np.full((count, 1, 4, 4), 0.5, np.float32), "logits")
        np.testing.assert_allclose(logits, [[2.0, -2.0]] * count)


def test_threads_of_the_machine_or_as_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def watch(content: object, *, runtime: str, threads: int, precision: str) -> Engine:
        assert precision == "fp32"
        asked.append(threads)
        return open_engine(content, runtime=runtime, threads=threads)  # type: ignore[arg-type]

    monkeypatch.setattr(session_module, "open_engine", watch)
    bundle = open_bundle(gray_bundle(tmp_path / "b"))
    for threads in (1, None):
        open_session(bundle, threads=threads)
    assert asked == [1, available_cores()]


def test_without_its_runtime_the_fastest_other_graph_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (plain,) = document(b"")["graphs"]
    files = ["student.onnx", "student.onnx"]
    fast = {**plain, "name": "fast", "runtime": "openvino", "opset": None, "files": files}
    other = {**plain, "name": "middle", "precision": "int8"}
    folder = gray_bundle(tmp_path / "b", graphs=[fast, other, plain], default="fast")
    monkeypatch.setattr("medistill.bundle.engine.has_openvino", lambda: False)
    bundle = open_bundle(folder)
    assert open_session(bundle).graph.name == "middle"
    with pytest.raises(MissingExtraError, match="openvino"):
        open_session(bundle, graph="fast")


def broken(tmp_path: Path, graph: bytes, **changes: object) -> BundleError:
    bundle = open_bundle(write_bundle(tmp_path / "b", graph, document(graph, **changes)))
    with pytest.raises(BundleError) as caught:
        open_session(bundle)
    return caught.value


def test_bytes_that_are_no_graph(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    error = broken(tmp_path, b"not a graph")
    assert "the graph 'fp32' cannot run" in error.what
    assert "\n" not in str(error)
    assert capfd.readouterr() == ("", "")


def test_an_operator_that_does_not_exist(tmp_path: Path) -> None:
    model = onnx.load_from_string(linear_graph([[1.0], [0.0]], [0.0, 0.0]))
    model.graph.node[0].op_type = "Telepathy"
    error = broken(tmp_path, model.SerializeToString())
    assert "the graph 'fp32' cannot run" in error.what


def test_a_graph_of_another_input_than_the_manifest_says(tmp_path: Path) -> None:
    error = broken(tmp_path, linear_graph([[1.0], [0.0]], [0.0, 0.0], size=6))
    assert "its inputs are {'image': [1, 6, 6]}, not {'image': [1, 4, 4]}" in error.what


def test_a_graph_of_another_number_of_classes(tmp_path: Path) -> None:
    error = broken(tmp_path, linear_graph(np.ones((3, 1)), np.zeros(3)))
    assert "its logits are [3] for 2 classes" in error.what


def test_a_graph_without_the_promised_output(tmp_path: Path) -> None:
    graph = linear_graph([[1.0], [0.0]], [0.0, 0.0])
    changes = with_graph(outputs={"logits": "logits", "roll": "attention.11"})
    files = document(graph)["files"]
    error = broken(tmp_path, graph, **{**changes, "files": files})
    assert "it has no output 'roll'" in error.what


def test_a_graph_for_another_runtime(tmp_path: Path) -> None:
    graph = linear_graph([[1.0], [0.0]], [0.0, 0.0])
    with pytest.raises(BundleError, match="are not OpenVINO's two"):
        broken(tmp_path, graph, **with_graph(runtime="openvino"))


def test_a_failure_while_running_names_the_bundle_and_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    graph = graph_for_four_images()
    session = open_session(open_bundle(write_bundle(tmp_path / "b", graph, document(graph))))
    assert session.run(np.zeros((4, 1, 4, 4), np.float32), "logits").shape == (4, 2)
    with pytest.raises(BundleError, match="the graph 'fp32' cannot run") as caught:
        session.run(np.zeros((3, 1, 4, 4), np.float32), "logits")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
