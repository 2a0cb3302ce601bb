"""A store is opened as it was written; damaged ones and those of other images are refused."""

from __future__ import annotations

import dataclasses
import json
import pickle
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError
from medistill.data.rows import content_hash
from medistill.data.store import open_store, stored_images
from medistill.data.storing import build_store
from tests.unit.data.pictures import noise_set


def test_rows_are_views_of_the_file_that_cannot_be_written(tmp_path: Path) -> None:
    store = build_store(
        noise_set(tmp_path / "in", 2), tmp_path / "store", stored_size=8, channels="gray"
    )
    assert not store[0].flags["OWNDATA"]
    with pytest.raises(ValueError, match="read-only"):
        store[0][0, 0] = 1


def test_eight_bits_in_the_file_are_sixteen_for_whoever_asks(tmp_path: Path) -> None:
    images = noise_set(tmp_path / "in", 3, size=(7, 5))
    store = build_store(images, tmp_path / "store", stored_size=5, channels="gray")
    # 35 bytes an image, and one to the end of a word.
    assert (tmp_path / "store" / "pixels.bin").stat().st_size == 3 * 36
    for row, sample in enumerate(images.samples):
        shown = np.asarray(Image.open(sample.path)).astype(np.uint16) * 257
        np.testing.assert_array_equal(store[row], shown, strict=True)
        assert store.hashes[row] == content_hash(shown)
        assert not store[row].flags.writeable


def test_store_of_the_first_version_is_read(tmp_path: Path) -> None:
    images = noise_set(tmp_path / "in", 2)
    store = build_store(images, tmp_path / "store", stored_size=8, channels="gray")
    held = [store[row].copy() for row in range(2)]
    index = json.loads((tmp_path / "store" / "index.json").read_text())
    rows = [[name, found, shape, at] for name, found, shape, at, _ in index["rows"]]
    first = index | {"format": "medistill-store-1", "rows": rows}
    (tmp_path / "store" / "index.json").write_text(json.dumps(first))
    old = open_store(tmp_path / "store")
    for row in range(2):
        np.testing.assert_array_equal(old[row], held[row], strict=True)


def test_content_hash_tells_shapes_of_equal_bytes_apart() -> None:
    flat = np.zeros((2, 4), dtype=np.uint16)
    assert content_hash(flat) == sha256(b"2x4:" + bytes(16)).hexdigest()
    assert content_hash(flat) != content_hash(flat.T)


def test_store_of_other_images_is_refused(tmp_path: Path) -> None:
    images = noise_set(tmp_path / "in", 3)
    store = build_store(images, tmp_path / "store", stored_size=8, channels="gray")
    fewer = dataclasses.replace(images, samples=images.samples[1:])
    with pytest.raises(DataError, match="holds other images than"):
        stored_images(fewer, store)


def test_pickled_store_opens_the_file_again(tmp_path: Path) -> None:
    images = noise_set(tmp_path / "in", 20, size=(64, 64))
    store = build_store(images, tmp_path / "store", stored_size=64, channels="gray")
    data = pickle.dumps(store)
    assert len(data) < 1000
    np.testing.assert_array_equal(pickle.loads(data)[7], store[7])


@pytest.mark.parametrize("folder", ["absent", "in"])
def test_folder_without_an_index_is_not_a_store(tmp_path: Path, folder: str) -> None:
    noise_set(tmp_path / "in", 1)
    with pytest.raises(DataError, match="is not a store of images"):
        open_store(tmp_path / folder)


def test_cut_pixels_are_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    build_store(noise_set(tmp_path / "in", 2), folder, stored_size=8, channels="gray")
    data = (folder / "pixels.bin").read_bytes()
    (folder / "pixels.bin").write_bytes(data[:-2])
    # Two images of 8 x 12 pixels.
    with pytest.raises(DataError, match="holds 191 words of pixels where 192 are listed"):
        open_store(folder)


def test_other_version_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    build_store(noise_set(tmp_path / "in", 2), folder, stored_size=8, channels="gray")
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(index | {"format": "medistill-store-0"}))
    with pytest.raises(DataError, match="another version"):
        open_store(folder)
