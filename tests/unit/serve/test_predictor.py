from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.bundle.bundle import open_bundle
from medistill.imaging.reader import read_image
from medistill.imaging.resize import render, to_stored
from medistill.serve.predictor import Predictor
from tests.unit.bundle.handmade import (
    document,
    gray_bundle,
    linear_graph,
    with_graph,
    write_bundle,
)

GRAY = [[4.0], [-4.0]]


def paint(path: Path, colour: int | tuple[int, int, int], size: tuple[int, int] = (8, 8)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L" if isinstance(colour, int) else "RGB", size, colour).save(path)
    return path


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.fixture
def predictor(tmp_path: Path) -> Predictor:
    return Predictor(open_bundle(gray_bundle(tmp_path / "bundle")), threads=1)


def test_probabilities_by_hand(predictor: Predictor, tmp_path: Path) -> None:
    # 51 of 255 is 0.2; the logits are 0.8 and -0.8; p = 1 / (1 + exp(-1.6)).
    (found,) = predictor.predict_files([paint(tmp_path / "a.png", 51)])
    assert found.probabilities == pytest.approx((0.8320183851, 0.1679816149), abs=1e-6)
    assert (found.label, found.problem) == ("ill", None)
    assert found.path == str(tmp_path / "a.png")


def test_rgb_keeps_its_channels_apart(tmp_path: Path) -> None:
    graph = linear_graph([[2.0, 0.0, 0.0], [0.0, 0.0, 2.0]], [0.0, 0.0])
    seen = {**document(graph)["preprocessing"], "channels": "rgb"}
    seen |= {"mean": [0.0] * 3, "std": [1.0] * 3}
    folder = write_bundle(tmp_path / "rgb", graph, document(graph, preprocessing=seen))
    predictor = Predictor(open_bundle(folder))
    pictures = [paint(tmp_path / "r.png", (255, 9, 0)), paint(tmp_path / "b.png", (0, 9, 255))]
    red, blue = predictor.predict_files(pictures)
    assert red.probabilities == pytest.approx((sigmoid(2), sigmoid(-2)), abs=1e-6)
    assert (red.label, blue.label) == ("ill", "well")


def test_colour_becomes_gray_for_a_gray_bundle(predictor: Predictor, tmp_path: Path) -> None:
    # ITU-R BT.601: 0.299 of full red.
    (found,) = predictor.predict_files([paint(tmp_path / "r.png", (255, 0, 0))])
    assert found.probabilities is not None
    assert found.probabilities[0] == pytest.approx(sigmoid(8 * 0.299), abs=1e-5)


def test_preprocessing_is_the_training_path(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "noise.png"
    pixels = np.random.default_rng(3).integers(0, 256, (37, 23), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    stored = to_stored(read_image(path), stored_size=8, channels="gray")
    expected = render(stored, size=4, fit="stretch")
    np.testing.assert_array_equal(predictor.prepare(read_image(path)), expected)
    (found,) = predictor.predict_files([path])
    assert found.probabilities is not None
    assert found.probabilities[0] == pytest.approx(sigmoid(8 * expected.mean()), abs=1e-6)


def test_the_temperature_of_the_bundle_is_applied(tmp_path: Path) -> None:
    changes = with_graph(calibration={"temperature": 4.0, "labels": []})
    graph = linear_graph(GRAY, [0.0, 0.0])
    folder = write_bundle(tmp_path / "b", graph, document(graph, **changes))
    chances = Predictor(open_bundle(folder)).predict_array(np.full((1, 1, 4, 4), 0.5, np.float32))
    assert chances[0, 0] == pytest.approx(sigmoid(1.0), abs=1e-6)


def test_the_operating_point_of_the_bundle_is_applied(tmp_path: Path) -> None:
    changes = with_graph(thresholds={"ill": 0.9, "well": 0.1})
    graph = linear_graph(GRAY, [0.0, 0.0])
    folder = write_bundle(tmp_path / "b", graph, document(graph, **changes))
    # p(ill) = .83 is the larger, but below the threshold of .9.
    (found,) = Predictor(open_bundle(folder)).predict_files([paint(tmp_path / "a.png", 51)])
    assert found.label == "well"


def test_multi_label_names_every_class_that_holds(tmp_path: Path) -> None:
    graph = linear_graph([[0.0], [0.0], [0.0]], [2.0, 1.0, -1.0])
    body = document(graph, task="multi-label", classes=["a", "b", "c"])
    predictor = Predictor(open_bundle(write_bundle(tmp_path / "b", graph, body)))
    (found,) = predictor.predict_files([paint(tmp_path / "a.png", 0)])
    assert found.label == "a; b"
    expected = (sigmoid(2), sigmoid(1), sigmoid(-1))
    assert found.probabilities == pytest.approx(expected, abs=1e-6)


def test_unreadable_inputs_are_listed_in_place_and_do_not_stop_the_rest(
    predictor: Predictor, tmp_path: Path
) -> None:
    folder = tmp_path / "病人 资料"
    paint(folder / "1 第一.png", 0)
    (folder / "2.png").write_bytes(b"no picture")
    (folder / "3.jpg").write_bytes(paint(tmp_path / "whole.jpg", 80, (64, 64)).read_bytes()[:300])
    paint(folder / "4 ümlaut.tif", 255)
    found = list(predictor.predict_files([tmp_path / "no.png", folder], batch_size=2))
    assert [Path(item.path).name for item in found] == [
        "no.png",
        "1 第一.png",
        "2.png",
        "3.jpg",
        "4 ümlaut.tif",
    ]
    assert [item.problem is None for item in found] == [False, True, False, False, True]
    assert found[0].problem == "there is no such file"
    assert "is not a PNG" in str(found[2].problem)
    assert "truncated" in str(found[3].problem)
    assert found[0].probabilities is found[0].label is None


def test_a_batch_of_nothing_but_problems(predictor: Predictor, tmp_path: Path) -> None:
    missing = [tmp_path / f"{number}.png" for number in range(3)]
    found = list(predictor.predict_files(missing, batch_size=3))
    assert [item.path for item in found] == [str(path) for path in missing]


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_answers_do_not_hang_on_the_batch(
    predictor: Predictor, tmp_path: Path, batch_size: int
) -> None:
    paths = [paint(tmp_path / f"{level:03}.png", level) for level in range(0, 250, 35)]
    found = list(predictor.predict_files(paths, batch_size))
    assert [item.path for item in found] == [str(path) for path in paths]
    first = [item.probabilities[0] for item in found if item.probabilities]
    expected = [sigmoid(8 * level / 255) for level in range(0, 250, 35)]
    assert first == pytest.approx(expected, abs=1e-5)


def test_answers_come_while_inputs_are_still_to_be_read(
    predictor: Predictor, tmp_path: Path
) -> None:
    paths = [paint(tmp_path / "a.png", 1), paint(tmp_path / "b.png", 1)]
    found = predictor.predict_files(paths, batch_size=1)
    assert next(found).problem is None
    paths[1].unlink()
    assert next(found).problem == "there is no such file"


def test_a_logit_that_is_no_number_is_a_problem_of_its_own_image(tmp_path: Path) -> None:
    # Black gives 0 * inf = NaN; white gives inf.
    graph = linear_graph([[math.inf], [1.0]], [0.0, 0.0])
    predictor = Predictor(open_bundle(write_bundle(tmp_path / "b", graph, document(graph))))
    (found,) = predictor.predict_files([paint(tmp_path / "a.png", 0)])
    assert found.problem == "the graph gave no finite number"
    assert found.probabilities is found.label is None
