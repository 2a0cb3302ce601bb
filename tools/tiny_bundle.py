"""A small bundle, images, and what torch says of them: for trying prediction where torch is absent.

Run in the training environment: python -m tools.tiny_bundle make FOLDER
and, once ``medistill predict`` has written FOLDER/predictions.csv elsewhere, hold them against
torch's: python -m tools.tiny_bundle check FOLDER. The same for a running service and its page:
python -m tools.tiny_bundle ask FOLDER ADDRESS
"""

from __future__ import annotations

import csv
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CLASSES = ("absent", "present")
SIZE, STORED_SIZE, BOUND = 32, 48, 1e-4


def draw_images(folder: Path) -> list[Path]:
    """Noise in the kinds of files that people have: gray, colour, 16 bits, JPEG; none square."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    gray = random.integers(0, 256, (60, 80), dtype=np.uint8)
    deep = random.integers(0, 65536, (70, 50), dtype=np.uint16)
    colour = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    paths = [folder / name for name in ("gray.png", "deep.png", "colour.png", "photo.jpg")]
    drawn: list[NDArray[Any]] = [gray, deep, colour, colour]
    for path, pixels in zip(paths, drawn, strict=True):
        Image.fromarray(pixels).save(path)
    return paths


def make(folder: Path) -> None:
    """Write ``bundle``, ``images`` and ``expected.json``, from a network with random weights."""
    import torch

    from medistill.export.bundle_writer import BundleText, provenance_now, publish_bundle
    from medistill.imaging.reader import read_image
    from medistill.imaging.resize import render, to_stored
    from medistill.models.build import ModelSpec, build_model

    torch.manual_seed(0)
    spec = ModelSpec(name="vit", image_size=SIZE, patch_size=8, width=48, depth=2, heads=3)
    network = build_model(spec, classes=len(CLASSES), stored_size=STORED_SIZE).eval()
    with torch.no_grad():
        network.backbone.get_parameter("head.weight").mul_(4)  # far from one half
    paths = draw_images(folder / "images")
    pictures = [
        to_stored(read_image(path), stored_size=STORED_SIZE, channels="gray") for path in paths
    ]
    images = np.stack([render(picture, size=SIZE, fit="stretch") for picture in pictures])
    text = BundleText(
        name="tiny",
        task="single-label",
        classes=CLASSES,
        stored_size=STORED_SIZE,
        provenance=provenance_now(recipe=None, data=None, teacher=None, student=None),
    )
    publish_bundle(network, folder / "bundle", text, images=images)
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).logits.softmax(dim=1).tolist()
    named = {path.name: row for path, row in zip(paths, expected, strict=True)}
    (folder / "expected.json").write_text(json.dumps(named), encoding="utf-8")


def check(folder: Path) -> str:
    """Compare ``predictions.csv`` with what torch said.

    Returns:
        The largest difference, as a sentence.

    Raises:
        ValueError: an image is missing, or a probability differs by more than the bound.
    """
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        found = {Path(row["path"]).name: row for row in csv.DictReader(stream)}
    return _compared(expected, found)


def ask(folder: Path, address: str) -> str:
    """Send the images to a running service and compare what it says with what torch said.

    Returns:
        The largest difference, as a sentence.

    Raises:
        ValueError: as :func:`check`, or the page is not there.
    """
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    with urllib.request.urlopen(address, timeout=30) as page:
        if b"For research use only" not in page.read():
            raise ValueError("the page is not there")
    body = b"".join(_part(folder / "images" / name) for name in expected) + b"--x-x--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=x-x"}
    request = urllib.request.Request(f"{address}/v1/predict", data=body, headers=kind)
    with urllib.request.urlopen(request, timeout=30) as answer:
        results = json.load(answer)["results"]
    return _compared(expected, {each["file"]: each["probabilities"] for each in results})


def _part(path: Path) -> bytes:
    head = f'--x-x\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"\r\n\r\n'
    return head.encode() + path.read_bytes() + b"\r\n"


def _compared(expected: dict[str, list[float]], found: dict[str, Any]) -> str:
    if found.keys() != expected.keys():
        raise ValueError(f"predicted {sorted(found)} instead of {sorted(expected)}")
    largest = max(
        abs(float(found[name][label]) - value)
        for name, row in expected.items()
        for label, value in zip(CLASSES, row, strict=True)
    )
    if largest > BOUND:
        raise ValueError(f"probabilities differ by up to {largest:.1e}, more than {BOUND:.0e}")
    return f"{len(found)} predictions, largest difference from torch {largest:.1e}"


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]))
    elif sys.argv[1] == "ask":
        print(ask(Path(sys.argv[2]), sys.argv[3]))
    else:
        print(check(Path(sys.argv[2])))
