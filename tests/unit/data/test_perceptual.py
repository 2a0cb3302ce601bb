"""Perceptual hashes are imagehash's, and are remembered by content."""

from __future__ import annotations

import sys
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import MissingExtraError
from medistill.data import perceptual
from medistill.data.perceptual import low_frequency_bits, perceptual_hashes
from tests.unit.data.pictures import save_noise, smooth_picture


def test_hash_is_that_of_imagehash_on_the_gray_picture(tmp_path: Path) -> None:
    path = save_noise(tmp_path / "a.png", 3, size=(40, 50))
    expected = imagehash.phash(Image.open(path)).hash.ravel()
    np.testing.assert_array_equal(perceptual_hashes({"a": path})["a"], expected)


def test_mode_of_the_file_does_not_matter(tmp_path: Path) -> None:
    path = save_noise(tmp_path / "a.png", 3)
    Image.open(path).convert("RGBA").save(tmp_path / "b.png")
    Image.fromarray(np.asarray(Image.open(path)).astype(np.uint16) * 257).save(tmp_path / "c.png")
    found = perceptual_hashes({name: tmp_path / f"{name}.png" for name in "abc"})
    np.testing.assert_array_equal(found["a"], found["b"])
    np.testing.assert_array_equal(found["a"], found["c"])


def test_unreadable_files_are_left_out(tmp_path: Path) -> None:
    path = save_noise(tmp_path / "a.png", 3)
    (tmp_path / "b.png").write_bytes(b"broken")
    paths = {"a": path, "b": tmp_path / "b.png", "c": tmp_path / "absent.png", "d": tmp_path}
    assert list(perceptual_hashes(paths)) == ["a"]


def test_cache_is_used_and_follows_the_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cache = save_noise(tmp_path / "a.png", 3), tmp_path / "cache"
    read: list[Path] = []
    original = perceptual.read_image
    monkeypatch.setattr(perceptual, "read_image", lambda p: read.append(p) or original(p))
    first = perceptual_hashes({"a": path}, cache=cache)["a"]
    np.testing.assert_array_equal(perceptual_hashes({"b": path}, cache=cache)["b"], first)
    assert len(read) == 1
    save_noise(path, 4)
    assert (perceptual_hashes({"a": path}, cache=cache)["a"] != first).any()
    assert len(read) == 2


def test_many_files_are_hashed_by_processes_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {f"{n}": save_noise(tmp_path / f"{n}.png", n) for n in range(70)}
    (tmp_path / "7.png").write_bytes(b"broken")
    expected = perceptual_hashes(paths)
    asked: list[int] = []
    original = perceptual.in_order

    def asked_for(items: object, act: object, *, workers: int) -> object:
        asked.append(workers)
        return original(items, act, workers=workers)  # type: ignore[arg-type]

    monkeypatch.setattr(perceptual, "in_order", asked_for)
    found = perceptual_hashes(paths, workers=2)
    assert asked == [2]
    assert list(found) == list(expected)
    assert len(found) == 69
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize("workers", [0, 1])
def test_hashing_is_told_as_it_goes(tmp_path: Path, workers: int) -> None:
    paths = {f"{n}": save_noise(tmp_path / f"{n}.png", n) for n in range(70)}
    told: list[tuple[int, int]] = []
    cache = tmp_path / "cache"
    for _ in range(2):  # of what is known nothing is told
        perceptual_hashes(
            paths,
            cache=cache,
            workers=workers,
            progress=lambda done, all_: told.append((done, all_)),
        )
    assert [total for _, total in told] == [70] * len(told)
    assert len(told) > 3
    done = [each for each, _ in told]
    assert done == sorted(set(done))
    assert done[-1] == 70


@pytest.mark.parametrize("text", ["not json", "[]", "{}", '{"format": "other", "hashes": {}}'])
def test_damaged_cache_is_made_anew(tmp_path: Path, text: str) -> None:
    path = save_noise(tmp_path / "a.png", 3)
    (tmp_path / "perceptual-hashes.json").write_text(text)
    found = perceptual_hashes({"a": path}, cache=tmp_path)["a"]
    np.testing.assert_array_equal(found, perceptual_hashes({"a": path})["a"])


def test_absent_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagehash", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'medistill\[train\]'"):
        perceptual_hashes({})


@pytest.mark.parametrize("seed", range(8))
def test_low_frequency_bits_are_nearly_those_of_imagehash(seed: int) -> None:
    picture = smooth_picture(seed, 256)
    small = np.asarray(picture.reduce(4))
    found = np.unpackbits(low_frequency_bits(small[None])[0])
    # The two shrink the picture differently; a few coefficients lie near the median.
    assert np.count_nonzero(found != imagehash.phash(picture).hash.ravel()) <= 2


def test_low_frequency_bits_of_waves_by_hand() -> None:
    # A cosine of 3 half periods downwards and 2 across is one coefficient of the transform, (3, 2);
    # all others but the mean are 0, which is their median.
    place = (np.arange(64) + 0.5) / 64
    wave = np.outer(np.cos(np.pi * 3 * place), np.cos(np.pi * 2 * place))
    small = np.rint(127.5 + 100 * wave).astype(np.uint8)
    bits = np.unpackbits(low_frequency_bits(np.stack([small, 255 - small]))[0]).reshape(8, 8)
    assert bits[3, 2]
    assert bits[0, 0]
