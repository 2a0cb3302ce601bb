from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from medistill.bundle.bundle import open_bundle
from medistill.bundle.calibration import Calibration
from medistill.core.errors import ExportError
from medistill.core.files import sha256_file
from medistill.export import bundle_writer
from medistill.export.bundle_writer import BundleText, provenance_now, publish_bundle
from medistill.imaging.reader import read_image
from medistill.imaging.resize import render, to_stored
from medistill.models.network import Network
from medistill.serve.predictor import Predictor
from tests.unit.export.conftest import pictures, tiny_network

HASHES = {"recipe": "a" * 64, "data": "b" * 64, "teacher": None, "student": "c" * 64}
TEXT = BundleText(
    name="tiny",
    task="single-label",
    classes=("COVID", "non-COVID"),
    stored_size=16,
    provenance=replace(provenance_now(**HASHES), created="2025-01-01T00:00:00+00:00"),
    caveats=("Patient leakage cannot be excluded.",),
)


def test_a_published_bundle_holds_what_it_says(network: Network, tmp_path: Path) -> None:
    published = publish_bundle(network, tmp_path / "bundle", TEXT, images=pictures(network, 9))
    folder = tmp_path / "bundle"
    assert published.archive == tmp_path / "bundle.zip"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "bundle.zip"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "bundle.json",
        "student.onnx",
    ]
    body = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    assert (body["format"], body["schema"], body["name"]) == ("medistill-bundle", 4, "tiny")
    assert body["classes"] == ["COVID", "non-COVID"]
    assert body["preprocessing"] == {
        "size": 8,
        "mean": [0.3],
        "std": [0.2],
        "channels": "gray",
        "fit": "stretch",
        "stored_size": 16,
        "window": None,
    }
    (graph,) = body["graphs"]
    assert (graph["role"], graph["precision"], graph["opset"]) == ("predict", "fp32", 18)
    assert graph["parity"]["images"] == 9
    assert body["provenance"]["data"] == "b" * 64
    assert body["provenance"]["versions"]["torch"] == torch.__version__.split("+")[0]
    assert set(body["files"]) == {"README.md", "student.onnx"}
    for name, record in body["files"].items():
        assert record["sha256"] == sha256_file(folder / name)
    assert "Patient leakage cannot be excluded." in (folder / "README.md").read_text()


@pytest.mark.parametrize("colour", [False, True])
def test_prediction_equals_the_network(tmp_path: Path, colour: bool) -> None:
    network = tiny_network(colour=colour)
    text = replace(TEXT, calibration=Calibration(temperature=2.0))
    folder = publish_bundle(network, tmp_path / "b", text, images=pictures(network, 3))
    paths = [tmp_path / f"{number} 图.png" for number in range(5)]
    for number, path in enumerate(paths):
        noise = np.random.default_rng(number).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(noise if colour else noise[..., 0]).save(path)
    seen = network.preprocessing
    images = np.stack(
        [
            render(
                to_stored(read_image(path), stored_size=16, channels=seen.channels),
                size=seen.size,
                fit=seen.fit,
            )
            for path in paths
        ]
    )
    with torch.inference_mode():
        expected = (network.eval()(torch.from_numpy(images)).logits / 2).softmax(1).numpy()
    found = list(Predictor(open_bundle(folder.archive)).predict_files(paths, batch_size=2))
    np.testing.assert_allclose([item.probabilities for item in found], expected, atol=1e-5)
    labels = [TEXT.classes[index] for index in expected.argmax(1)]
    assert [item.label for item in found] == labels


def test_a_graph_that_differs_is_not_published(tmp_path: Path) -> None:
    network = tiny_network(sneaky=0.5)
    with pytest.raises(ExportError, match="differs from the network"):
        publish_bundle(network, tmp_path / "bundle", TEXT, images=pictures(network, 4))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_former_bundle(network: Network, tmp_path: Path) -> None:
    target, images = tmp_path / "bundle", pictures(network, 4)
    former = publish_bundle(network, target, TEXT, images=images)
    with pytest.raises(ExportError):
        publish_bundle(tiny_network(sneaky=0.5), target, TEXT, images=images)
    assert open_bundle(target).identity == former.bundle.identity
    assert open_bundle(former.archive).identity == former.bundle.identity


def test_a_new_export_replaces_the_former_bundle(network: Network, tmp_path: Path) -> None:
    target, images = tmp_path / "bundle", pictures(network, 4)
    former = publish_bundle(network, target, TEXT, images=images)
    (target / "stray.txt").touch()
    later = publish_bundle(network, target, replace(TEXT, name="later"), images=images)
    assert open_bundle(target).manifest.name == open_bundle(later.archive).manifest.name == "later"
    assert later.bundle.identity != former.bundle.identity
    assert not (target / "stray.txt").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "bundle.zip"]


def test_the_same_student_gives_the_same_bundle_and_zip(network: Network, tmp_path: Path) -> None:
    images = pictures(network, 4)
    (tmp_path / "other").mkdir()
    first = publish_bundle(network, tmp_path / "bundle", TEXT, images=images)
    second = publish_bundle(network, tmp_path / "other" / "bundle", TEXT, images=images)
    assert first.bundle.identity == second.bundle.identity
    assert first.archive.read_bytes() == second.archive.read_bytes()


def test_a_killed_export_is_swept_and_the_former_bundle_returns(
    network: Network, tmp_path: Path
) -> None:
    target, images = tmp_path / "bundle", pictures(network, 4)
    former = publish_bundle(network, target, TEXT, images=images)
    # As a kill between the two renames leaves it.
    target.rename(tmp_path / ".bundle.old")
    (tmp_path / ".bundle.partial").mkdir()
    (tmp_path / ".bundle.partial" / "half.onnx").touch()
    with pytest.raises(ExportError):
        publish_bundle(tiny_network(sneaky=0.5), target, TEXT, images=images)
    assert open_bundle(target).identity == former.bundle.identity
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "bundle.zip"]


def test_what_is_no_bundle_is_never_replaced(network: Network, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").touch()
    for target in (tmp_path / "thesis", tmp_path / "thesis" / "chapter.txt"):
        with pytest.raises(ExportError, match="exists and is not a bundle"):
            publish_bundle(network, target, TEXT, images=pictures(network, 2))
    assert (tmp_path / "thesis" / "chapter.txt").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "/home/anna/run-3"},
        {"caveats": ("Trained on /mnt/pacs/export/2024.",)},
        {"classes": ("ok", "C:\\scans\\ill")},
    ],
)
def test_an_absolute_path_is_refused_and_nothing_is_left(
    network: Network, tmp_path: Path, change: dict[str, object]
) -> None:
    text = replace(TEXT, **change)  # type: ignore[arg-type]
    with pytest.raises(ExportError, match="absolute path"):
        publish_bundle(network, tmp_path / "bundle", text, images=pictures(network, 2))
    assert list(tmp_path.iterdir()) == []


def test_nothing_published_names_this_machine(network: Network, tmp_path: Path) -> None:
    published = publish_bundle(network, tmp_path / "bundle", TEXT, images=pictures(network, 2))
    with zipfile.ZipFile(published.archive) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    for secret in (str(tmp_path), str(Path.home()), str(Path(__file__).parents[3])):
        assert secret.encode() not in content


def test_a_full_disk_leaves_no_bundle(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle_writer, "_write_zip", full)
    with pytest.raises(OSError, match="No space left"):
        publish_bundle(network, tmp_path / "bundle", TEXT, images=pictures(network, 2))
    assert list(tmp_path.iterdir()) == []


def test_class_names_must_match_the_logits(network: Network, tmp_path: Path) -> None:
    text = replace(TEXT, classes=("a", "b", "c"))
    with pytest.raises(ValueError, match="3 class names for 2 logits"):
        publish_bundle(network, tmp_path / "bundle", text, images=pictures(network, 2))
