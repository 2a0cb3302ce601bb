"""Identical files and near-duplicates, and clusters that never chain."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.data.closest import closest_components
from medistill.data.duplicates import (
    NEAR_DISTANCE,
    _linked_in_blocks,
    cluster_hashes,
    identical_files,
    near_duplicate_groups,
)
from medistill.data.perceptual import Bits, perceptual_hashes
from tests.unit.data.pictures import save_noise, smooth_picture


def test_identical_files_share_the_first_name(tmp_path: Path) -> None:
    save_noise(tmp_path / "a.png", 0)
    save_noise(tmp_path / "b.png", 1)
    (tmp_path / "c.png").write_bytes((tmp_path / "b.png").read_bytes())
    paths = {name: tmp_path / name for name in ("c.png", "b.png", "a.png", "absent.png")}
    expected = {"a.png": "a.png", "b.png": "b.png", "c.png": "b.png", "absent.png": "absent.png"}
    assert identical_files(paths) == expected


def _altered(image: Image.Image) -> dict[str, Image.Image]:
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=50)
    pixels = np.asarray(image)
    width, height = image.size
    return {
        "colour": image.convert("RGBA"),
        "jpeg": Image.open(jpeg),
        "half": image.resize((width // 2, height // 2), Image.Resampling.LANCZOS),
        "gamma": image.point([round(255 * (v / 255) ** 0.7) for v in range(256)]),
        "shifted": Image.fromarray(np.roll(pixels, (1, 1), (0, 1))),
        "cropped": image.crop((2, 2, width - 2, height - 2)),
    }


@pytest.mark.parametrize("change", ["colour", "jpeg", "half", "gamma", "shifted", "cropped"])
def test_altered_copy_shares_a_group_and_others_do_not(tmp_path: Path, change: str) -> None:
    original = smooth_picture(0)
    pictures = {"a original": original, "b copy": _altered(original)[change]}
    pictures |= {f"other {n}": smooth_picture(1 + n) for n in range(8)}
    paths = {}
    for name, picture in pictures.items():
        paths[name] = tmp_path / f"{name}.png"
        picture.save(paths[name])
    groups = near_duplicate_groups(paths)
    assert groups == {name: name for name in pictures} | {"b copy": "a original"}


def test_no_cluster_is_wider_than_the_distance(tmp_path: Path) -> None:
    # From one picture to another in small steps: single linkage would chain them all.
    first, last = smooth_picture(0), smooth_picture(1)
    paths = {}
    for step in range(40):
        paths[f"{step:02}"] = tmp_path / f"{step:02}.png"
        Image.blend(first, last, step / 39).save(paths[f"{step:02}"])
    hashes = perceptual_hashes(paths)
    groups = near_duplicate_groups(paths)
    assert 1 < len(set(groups.values())) < 40
    for one, group in groups.items():
        for other in (name for name, found in groups.items() if found == group):
            assert np.count_nonzero(hashes[one] != hashes[other]) <= NEAR_DISTANCE
    steps = [np.count_nonzero(hashes[f"{n:02}"] != hashes[f"{n + 1:02}"]) for n in range(39)]
    assert max(steps) <= NEAR_DISTANCE


def test_distance_zero_joins_equal_pictures_alone(tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.png" for name in ("a", "b", "c")}
    smooth_picture(0).save(paths["a"])
    smooth_picture(0).convert("RGB").save(paths["b"])
    smooth_picture(1).save(paths["c"])
    assert near_duplicate_groups(paths, distance=0) == {"a": "a", "b": "a", "c": "c"}


def test_unreadable_image_is_its_own_group(tmp_path: Path) -> None:
    paths = {"a": save_noise(tmp_path / "a.png", 0), "b": tmp_path / "b.png", "c": tmp_path / "c"}
    paths["b"].write_bytes(b"broken")
    assert near_duplicate_groups(paths) == {"a": "a", "b": "b", "c": "c"}
    assert near_duplicate_groups({}) == {}


@pytest.mark.parametrize(("distance", "clusters"), [(4, 1), (3, 2)])
def test_distance_itself_is_within(distance: int, clusters: int) -> None:
    hashes = np.zeros((2, 64), dtype=np.bool_)
    hashes[1, :4] = True
    assert len(set(_linked_in_blocks(hashes, distance, np.arange(2)).tolist())) == clusters


def _pairs(count: int) -> Bits:
    """Distinct random hashes, each followed by one that differs in a single bit."""
    hashes = np.random.default_rng(0).random((count, 64)) < 0.5
    twins = hashes.copy()
    twins[:, 0] ^= True
    return np.stack([hashes, twins], axis=1).reshape(2 * count, 64)


def test_blocks_keep_the_diameter_bounded_and_most_pairs_joined() -> None:
    hashes = _pairs(200)
    whole = _linked_in_blocks(hashes, 4, np.arange(400), block=400)
    blocked = _linked_in_blocks(hashes, 4, np.arange(400), block=100)
    held = _linked_in_blocks(hashes, 4, closest_components(hashes), block=100)
    np.testing.assert_array_equal(held[::2], held[1::2])
    assert len(set(whole.tolist())) == 200
    np.testing.assert_array_equal(whole[::2], whole[1::2])
    for number in set(blocked.tolist()):
        assert np.count_nonzero(blocked == number) <= 2
    assert np.mean(blocked[::2] == blocked[1::2]) > 0.7


def test_clusters_of_known_hashes_are_those_of_all_at_once() -> None:
    hashes = _pairs(150)
    hashes[::6, 3:6] ^= True
    names = {f"{row:03}": np.packbits(bits).tobytes().hex() for row, bits in enumerate(hashes)}
    whole = _linked_in_blocks(hashes, 4, closest_components(hashes))
    found = cluster_hashes(names, distance=4)
    members = [{n for n in found if found[n] == group} for group in sorted(set(found.values()))]
    expected = [
        {f"{row:03}" for row in np.flatnonzero(whole == number).tolist()}
        for number in sorted(set(whole.tolist()))
    ]
    assert sorted(map(sorted, members)) == sorted(map(sorted, expected))
    assert max(map(len, members)) == 2
