"""Whatever is sent: the right status, one sentence, and a service that goes on."""

from __future__ import annotations

import gzip
import io
import re
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from medistill.bundle.bundle import open_bundle
from medistill.serve.app import create_app
from medistill.serve.service import Service, Settings
from tests.unit.imaging.dicom_files import dataset_of, encoded
from tests.unit.serve.serving import explaining_bundle, png
from tests.unit.serve.test_app import send

KNOWN = {"acquisition": {"modalities": ["CT"], "body_parts": ["CHEST"]}}
PIXELS = np.full((8, 8), 51, np.uint8)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    bundle = open_bundle(explaining_bundle(tmp_path_factory.mktemp("bad") / "b", **KNOWN))
    with TestClient(create_app(Service(bundle, Settings(threads=1)))) as opened:
        yield opened


def chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def png_of_zeros(side: int) -> bytes:
    """A whole PNG: 20,000 pixels a side are 400 MB in 400 kB."""
    packer, line = zlib.compressobj(9), bytes(side + 1)
    data = b"".join([*(packer.compress(line) for _ in range(side)), packer.flush()])
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", data), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def volume(depth: int) -> bytes:
    return nibabel.Nifti1Image(np.full((8, 8, depth), 51, np.uint8), np.eye(4)).to_bytes()


def volume_bomb() -> bytes:
    """A gzipped header that claims 60,000 cubed voxels."""
    head = bytearray(volume(1)[:352])
    head[40:48] = struct.pack("<4h", 3, 30000, 30000, 30000)
    return gzip.compress(bytes(head) + bytes(2**20))


def animation() -> bytes:
    stream = io.BytesIO()
    frames = [Image.new("L", (8, 8), value) for value in (0, 255)]
    frames[0].save(stream, "TIFF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "text": (lambda: b"to whom it may concern", "is not a PNG, JPEG, TIFF or BMP image"),
    "pdf": (lambda: b"%PDF-1.7 " + bytes(500), "is not a PNG"),
    "zip": (lambda: b"PK\x03\x04" + bytes(500), "is not a PNG"),
    "cut off": (lambda: png(51, (300, 200))[:90], "damaged or truncated|cut off|truncated"),
    "20,000 x 20,000": (
        lambda: png_of_zeros(20_000),
        "has 20000 x 20000 pixels, more than 64,000,000",
    ),
    "needle": (lambda: png(1, (4000, 3)), "sides beyond 1:32"),
    "several pages": (animation, "2 (frames|pages|pictures)"),
    "multi-frame DICOM": (
        lambda: encoded(dataset_of(PIXELS, NumberOfFrames=3, PixelData=bytes(192))),
        "holds 3 frames, one is expected",
    ),
    "DICOM without pixels": (
        lambda: encoded(dataset_of(PIXELS))[:-200],
        "damaged|truncated|cut off|does not say|without",
    ),
    "DICOM that claims 65,535 a side": (
        lambda: encoded(dataset_of(PIXELS, Rows=65535, Columns=65535)),
        "more than 64,000,000",
    ),
    "dose": (lambda: encoded(dataset_of(PIXELS, Modality="RTDOSE")), "is a radiotherapy dose"),
    "volume": (lambda: volume(5), "holds 5 slices, one is expected"),
    "volume bomb": (volume_bomb, "voxels"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("route", ["predict", "explain", "pixels"])
def test_what_cannot_be_read_is_422_with_the_reason(
    client: TestClient, name: str, route: str
) -> None:
    make, words = REFUSED[name]
    answer = client.post(f"/v1/{route}", files=send(make()))
    assert answer.status_code == 422
    sentence = answer.json()["detail"]
    assert re.search(words, sentence), sentence
    assert sentence.startswith("a.png: ")
    assert sentence.endswith(".")
    assert "Traceback" not in sentence
    assert client.post("/v1/predict", files=send(png())).status_code == 200


def test_a_volume_where_nibabel_is_absent_is_a_problem_of_its_own_alone(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = volume(1)
    monkeypatch.setitem(sys.modules, "nibabel", None)
    why = "needs the extra 'nifti', which is not installed. Run: pip install 'medistill[nifti]'."
    answer = client.post("/v1/predict", files=send(png(), content, png()))
    assert answer.status_code == 200
    found = answer.json()["results"]
    assert [each["label"] for each in found] == ["ill", None, "ill"]
    assert [each["problem"] for each in found] == [None, why, None]
    for route in ("predict", "explain", "pixels"):
        refused = client.post(f"/v1/{route}", files=send(content))
        assert (refused.status_code, refused.json()["detail"]) == (422, f"a.png: {why}")


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (7000, 7000)])
def test_small_and_large_pictures_are_answered(client: TestClient, size: tuple[int, int]) -> None:
    (found,) = client.post("/v1/predict", files=send(png(51, size))).json()["results"]
    assert found["label"] == "ill"


def test_a_volume_of_one_slice_is_a_picture(client: TestClient) -> None:
    (found,) = client.post("/v1/predict", files=send(volume(1))).json()["results"]
    assert found["label"] == "ill"


@pytest.mark.parametrize(
    ("elements", "reasons"),
    [
        ({"Modality": "CT", "BodyPartExamined": "CHEST"}, []),
        ({"Modality": "MR"}, ["Its modality is MR; the student was trained on CT."]),
        (
            {"Modality": "CT", "BodyPartExamined": "KNEE"},
            ["Its body part is KNEE; the student was trained on CHEST."],
        ),
    ],
)
def test_a_foreign_modality_or_body_part_is_answered_and_flagged(
    client: TestClient, elements: dict[str, str], reasons: list[str]
) -> None:
    content = encoded(dataset_of(PIXELS, **elements))
    (found,) = client.post("/v1/predict", files=send(content)).json()["results"]
    assert (found["label"], found["reasons"]) == ("ill", reasons)
    assert found["trusted"] is (False if reasons else None)
    assert client.get("/v1/model").json()["modalities"] == ["CT"]


def test_a_file_name_of_any_kind_comes_back_as_it_was_sent(
    client: TestClient, tmp_path: Path
) -> None:
    for name in ("../../etc/passwd", "<script>.png", "病人.png", "a" * 300):
        (found,) = client.post("/v1/predict", files=send(png(), name=name)).json()["results"]
        assert found["file"] == name
    assert not list(tmp_path.iterdir())
