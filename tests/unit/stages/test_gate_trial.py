"""The trust gate of a finished run, and of its bundle, against images of other kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError
from medistill.core.files import read_json
from medistill.stages.context import SilentReporter
from medistill.stages.gate_trial import try_gate
from tests.unit.stages.scans import DEPTH, save_ct, save_volume


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """A folder of coloured noise, which is no CT, with a file that is no image."""
    folder = tmp_path / "colours"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(12):
        pixels = random.integers(0, 256, size=(40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def test_a_run_brings_its_known_images_and_spoils_them(
    finished: Path, colours: Path, tmp_path: Path
) -> None:
    found = try_gate(finished, far=[colours], out=tmp_path / "out", reporter=SilentReporter())
    assert set(found["sets"]) == {"inverted", "wrong window", "quarters exchanged", "colours"}
    assert found["sets"]["colours"]["images"] == 12
    assert not found["sets"]["colours"]["near"]
    assert found["sets"]["inverted"]["near"]
    assert 0 <= found["false_alarms"]["estimate"] <= 1
    assert read_json(tmp_path / "out/strange.json") == found


def test_a_bundle_is_asked_about_the_given_folders(finished: Path, colours: Path) -> None:
    known = next((finished / "data/drawn").rglob("images"))
    found = try_gate(finished / "bundle", near=[colours], known=known, reporter=SilentReporter())
    assert found["sets"]["colours"]["near"]
    assert found["false_alarms"]["estimate"] < 0.3
    with pytest.raises(DataError, match="a bundle brings no images"):
        try_gate(finished / "bundle", reporter=SilentReporter())


def test_a_volume_is_asked_about_once_a_slice(finished: Path, tmp_path: Path) -> None:
    save_ct(tmp_path / "scans/a.dcm")
    save_volume(tmp_path / "scans/b.nii.gz")
    for model in (finished, finished / "bundle"):
        found = try_gate(model, far=[tmp_path / "scans"], reporter=SilentReporter())
        assert found["sets"]["scans"]["images"] == 1 + DEPTH


def test_a_folder_without_images_is_named(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no readable image"):
        try_gate(finished, near=[tmp_path], reporter=SilentReporter())
