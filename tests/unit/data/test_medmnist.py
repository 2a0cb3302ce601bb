"""MedMNIST's npz form; a download that cannot be made says where the file goes."""

from __future__ import annotations

import errno
import os
import tracemalloc
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.data.medmnist import fetched, is_medmnist, read_medmnist
from medistill.imaging.reader import read_image


def _npz(path: Path, *, labels: int = 1, colour: bool = False) -> Path:
    draw = np.random.default_rng(0)
    shape = (4, 8, 8, 3) if colour else (4, 8, 8)
    arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = draw.integers(0, 256, shape).astype(np.uint8)
        arrays[f"{split}_labels"] = np.resize([0, 1], (4, labels)).astype(np.uint8)
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("colour", [False, True])
def test_pictures_labels_and_splits(tmp_path: Path, colour: bool) -> None:
    path = _npz(tmp_path / "breastmnist.npz", colour=colour)
    assert is_medmnist(path)
    images = read_medmnist(path, cache=tmp_path / "cache")
    assert (len(images.samples), images.task) == (12, "single-label")
    assert images.classes == ("malignant", "normal or benign")
    first = next(s for s in images.samples if s.name == "train/000000.png")
    with np.load(path) as held:
        expected = held["train_images"][0] / 255
    np.testing.assert_allclose(read_image(first.path).pixels, expected, atol=1e-7)
    assert {s.split for s in images.samples} == {"train", "val", "test"}


def test_several_labels(tmp_path: Path) -> None:
    images = read_medmnist(_npz(tmp_path / "x.npz", labels=3), cache=tmp_path / "cache")
    assert (images.task, images.classes) == ("multi-label", ("0", "1", "2"))


def test_missing_download_says_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(url: str, timeout: float) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", fail)
    with pytest.raises(
        DataError, match=r"cannot be downloaded .no network.*breastmnist_64\.npz else"
    ):
        fetched("medmnist:breastmnist,size=64", tmp_path)
    with pytest.raises(DataError, match="Write medmnist:FLAG"):
        fetched("medmnist:breastmnist,size=65", tmp_path)


def test_damaged_file_is_refused(tmp_path: Path) -> None:
    path = _npz(tmp_path / "x.npz")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match="is a damaged npz file"):
        read_medmnist(path, cache=tmp_path)


def test_pictures_are_unpacked_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    arrays = {
        f"{split}_{kind}": np.zeros((300, 128, 128) if kind == "images" else (300, 1), np.uint8)
        for split in ("train", "test")
        for kind in ("images", "labels")
    }
    np.savez_compressed(path, **arrays)
    tracemalloc.start()
    images = read_medmnist(path, cache=tmp_path / "cache")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(images.samples) == 600
    # All pictures of a split are 4.9 MB.
    assert most < 4_000_000


@pytest.mark.parametrize(
    ("pictures", "words"),
    [
        (np.zeros((4, 8, 8, 8), np.uint8), r"pictures of the shape \(8, 8, 8\)"),
        (np.asfortranarray(np.zeros((4, 8, 8), np.uint8)), "is stored by columns"),
    ],
)
def test_pictures_of_another_form_are_refused(
    tmp_path: Path, pictures: np.ndarray, words: str
) -> None:
    labels = np.zeros((4, 1), np.uint8)
    np.savez(tmp_path / "x.npz", train_images=pictures, train_labels=labels)
    with pytest.raises(DataError, match=words):
        read_medmnist(tmp_path / "x.npz", cache=tmp_path / "cache")


def test_processes_write_what_one_does(tmp_path: Path) -> None:
    path = _npz(tmp_path / "x.npz", colour=True)
    one, two = (
        {s.name: s.path.read_bytes() for s in read_medmnist(path, cache=cache, workers=w).samples}
        for w, cache in ((0, tmp_path / "one"), (2, tmp_path / "two"))
    )
    assert len(one) == 12
    assert one == two
    assert not [*tmp_path.rglob("*.partial")]


def test_only_missing_pictures_are_unpacked_again(tmp_path: Path) -> None:
    path = _npz(tmp_path / "x.npz")
    samples = read_medmnist(path, cache=tmp_path).samples
    kept, gone = samples[0].path, samples[1].path
    whole = gone.read_bytes()
    gone.unlink()
    kept.write_bytes(b"kept")
    read_medmnist(path, cache=tmp_path)
    assert (kept.read_bytes(), gone.read_bytes()) == (b"kept", whole)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_is_no_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = _npz(tmp_path / "x.npz")

    def refuse(self: Path, data: bytes) -> None:
        raise OSError(number, os.strerror(number), self)

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(OSError, match=r"train/000000.png.partial") as caught:
        read_medmnist(path, cache=tmp_path)
    assert caught.value.errno == number


def test_a_full_disk_is_no_failed_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(url: str, timeout: float) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(urllib.request, "urlopen", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        fetched("medmnist:breastmnist", tmp_path)
    assert caught.value.errno == errno.ENOSPC
