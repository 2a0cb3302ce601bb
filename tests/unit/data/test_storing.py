"""A store holds what was decoded, whole or not at all, in flat memory."""

from __future__ import annotations

import dataclasses
import errno
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.data import rows
from medistill.data.store import open_store, stored_images
from medistill.data.storing import build_store
from medistill.imaging.reader import read_image
from medistill.imaging.resize import to_stored
from tests.unit.data.pictures import noise_set, save_noise


def test_rows_are_what_imaging_makes_of_the_files(tmp_path: Path) -> None:
    images = noise_set(tmp_path / "in", 5)
    store = build_store(images, tmp_path / "store", stored_size=8, channels="gray")
    assert len(store) == 5
    assert store.names == tuple(sample.name for sample in images.samples)
    for row, sample in enumerate(images.samples):
        expected = to_stored(read_image(sample.path), stored_size=8, channels="gray")
        np.testing.assert_array_equal(store[row], expected)
        assert store[row].dtype == np.uint16


def test_sizes_may_differ_and_colour_has_three_channels(tmp_path: Path) -> None:
    images = noise_set(tmp_path / "in", 2)
    save_noise(images.samples[1].path, 9, size=(16, 40))
    store = build_store(images, tmp_path / "store", stored_size=8, channels="rgb")
    assert [store[row].shape for row in range(2)] == [(8, 12, 3), (20, 8, 3)]
    assert (store.stored_size, store.channels) == (8, "rgb")


def test_content_hash_is_of_shape_and_pixels_alone(tmp_path: Path) -> None:
    images = noise_set(tmp_path / "in", 3)
    images.samples[2].path.write_bytes(images.samples[0].path.read_bytes())
    store = build_store(images, tmp_path / "store", stored_size=8, channels="gray")
    assert store.hashes[0] == store.hashes[2] != store.hashes[1]
    assert all(len(value) == 64 for value in store.hashes)


def test_data_hash_depends_on_pixels_labels_and_order(tmp_path: Path) -> None:
    images = noise_set(tmp_path / "in", 3)
    relabelled = dataclasses.replace(images.samples[0], label=1)
    others = {
        "labels": (relabelled, *images.samples[1:]),
        "order": images.samples[::-1],
        "fewer": images.samples[:2],
    }
    folder = tmp_path / "store"
    first = build_store(images, folder, stored_size=8, channels="gray").data_hash
    for samples in others.values():
        changed = dataclasses.replace(images, samples=samples)
        assert build_store(changed, folder, stored_size=8, channels="gray").data_hash != first
    assert build_store(images, folder, stored_size=8, channels="gray").data_hash == first


def test_data_hash_depends_on_what_masks_hold(tmp_path: Path) -> None:
    images, mask = noise_set(tmp_path / "in", 2), tmp_path / "mask.png"
    first, *rest = images.samples
    images = dataclasses.replace(images, samples=(dataclasses.replace(first, mask=mask), *rest))
    found = []
    for seed in (1, 2, 1):
        save_noise(mask, seed, size=(4, 4))
        store = build_store(images, tmp_path / "store", stored_size=8, channels="gray")
        found.append(store.data_hash)
    assert found[0] == found[2] != found[1]


def test_workers_store_the_same_rows_side_by_side_in_one_file(tmp_path: Path) -> None:
    images = noise_set(tmp_path / "in", 9)
    save_noise(images.samples[4].path, 4, size=(16, 40))
    alone, shared = (
        build_store(images, tmp_path / f"{n}", stored_size=8, channels="gray", workers=n)
        for n in (0, 2)
    )
    assert (shared.names, shared.hashes) == (alone.names, alone.hashes)
    assert shared.data_hash == alone.data_hash
    for row in range(9):
        np.testing.assert_array_equal(shared[row], alone[row])
    assert {path.name for path in (tmp_path / "2").iterdir()} == {"pixels.bin", "index.json"}


def test_memory_does_not_grow_with_the_number_of_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What waits to be written has a bound of its own: a lower one, lest it hide all else.
    monkeypatch.setattr(rows, "_AT_ONCE", 2**18)

    def peak(count: int) -> int:
        images = noise_set(tmp_path / f"in{count}", count, size=(256, 256))
        tracemalloc.start()
        try:
            build_store(images, tmp_path / f"store{count}", stored_size=128, channels="gray")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)
    # Eight are held at a time. A stored image takes 32 kB: 64 more of them would take 2 MB.
    assert peak(128) - peak(64) < 200_000


def test_unreadable_images_are_counted_and_named(tmp_path: Path) -> None:
    images = noise_set(tmp_path / "in", 10)
    for row in range(7):
        images.samples[row].path.write_bytes(b"broken")
    with pytest.raises(DataError, match="7 of 10 images cannot be read") as caught:
        build_store(images, tmp_path / "store", stored_size=8, channels="gray")
    assert "0000.png is not a PNG" in caught.value.what
    assert "0004.png" in caught.value.what
    assert "and 2 more" in caught.value.what
    assert "0005.png" not in caught.value.what
    assert not (tmp_path / "store").exists()


def test_unreadable_images_are_skipped_if_allowed(tmp_path: Path) -> None:
    images = noise_set(tmp_path / "in", 4)
    images.samples[1].path.write_bytes(b"broken")
    images.samples[2].path.unlink()
    store = build_store(
        images, tmp_path / "store", stored_size=8, channels="gray", skip_unreadable=True
    )
    assert store.names == ("0000.png", "0003.png")
    assert [name for name, _ in store.skipped] == ["0001.png", "0002.png"]
    assert "no such file" in store.skipped[1][1]
    kept = stored_images(images, store)
    assert [sample.name for sample in kept.samples] == ["0000.png", "0003.png"]
    np.testing.assert_array_equal(
        store[1], to_stored(read_image(images.samples[3].path), stored_size=8, channels="gray")
    )


def test_set_with_nothing_readable_is_refused_even_if_skipping(tmp_path: Path) -> None:
    images = noise_set(tmp_path / "in", 2)
    for sample in images.samples:
        sample.path.unlink()
    with pytest.raises(DataError, match="2 of 2 images cannot be read"):
        build_store(images, tmp_path / "s", stored_size=8, channels="gray", skip_unreadable=True)


def test_progress_counts_every_image(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    images = noise_set(tmp_path / "in", 3)
    build_store(
        images,
        tmp_path / "store",
        stored_size=8,
        channels="gray",
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_failed_build_leaves_the_older_store(tmp_path: Path) -> None:
    images = noise_set(tmp_path / "in", 3)
    before = build_store(images, tmp_path / "store", stored_size=8, channels="gray").data_hash
    images.samples[2].path.unlink()
    with pytest.raises(DataError):
        build_store(images, tmp_path / "store", stored_size=8, channels="gray")
    assert open_store(tmp_path / "store").data_hash == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "store"]


def test_leftovers_of_a_killed_build_do_not_matter(tmp_path: Path) -> None:
    partial = tmp_path / ".store.partial"
    partial.mkdir()
    (partial / "pixels.bin").write_bytes(b"half")
    build_store(noise_set(tmp_path / "in", 2), tmp_path / "store", stored_size=8, channels="gray")
    assert len(open_store(tmp_path / "store")) == 2
    assert not partial.exists()


def test_foreign_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="exists and is not a store"):
        build_store(
            noise_set(tmp_path / "in", 2), tmp_path / "store", stored_size=8, channels="gray"
        )
    assert (tmp_path / "store" / "thesis.txt").read_text() == "mine"


def test_full_disk_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    images = noise_set(tmp_path / "in", 2)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="the disk is full"):
        build_store(images, tmp_path / "store", stored_size=8, channels="gray")
    assert not (tmp_path / "store").exists()
