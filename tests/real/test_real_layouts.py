"""The layouts against the real images; counts are those of the published lists."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from medistill.data.layouts import read_data
from medistill.data.parts import conflicting_rows, fold_parts, holdout_parts
from medistill.data.perceptual import perceptual_hashes
from medistill.data.storing import build_store

pytestmark = pytest.mark.real


def test_covid_ct(real_data: Path, tmp_path: Path) -> None:
    images = read_data(real_data / "covid-ct", cache=tmp_path)
    assert images.name == "covid-ct"
    counts = Counter((images.classes[s.label], s.split) for s in images.samples)  # type: ignore[index]
    assert counts == {
        ("COVID", "train"): 191,
        ("COVID", "val"): 60,
        ("non-COVID", "train"): 234,
        ("non-COVID", "val"): 58,
    }
    assert any("official parts share 1 article" in caveat for caveat in images.caveats)
    conflicts = conflicting_rows(images)
    assert conflicts
    parts = holdout_parts(images, seed=0)
    assert len(parts.evaluate) == 118
    evaluated = {images.samples[row].group for row in parts.evaluate}
    trained = (*parts.fit, *parts.select, *parts.calibrate)
    assert not evaluated & {images.samples[row].group for row in trained}
    assert len(trained) + len(conflicts) == 425


def test_covid_ct_is_stored_in_one_mode(real_data: Path, tmp_path: Path) -> None:
    images = read_data(real_data / "covid-ct", cache=tmp_path)
    store = build_store(images, tmp_path / "store", stored_size=64, channels="gray")
    assert len(store) == 543
    assert not store.skipped
    assert all(store[row].ndim == 2 and min(store[row].shape) == 64 for row in range(len(store)))
    assert all(np.ptp(store[row]) > 10_000 for row in range(len(store)))


def test_sars_cov_2_ct(real_data: Path, tmp_path: Path) -> None:
    images = read_data(real_data / "sars-cov-2-ct", cache=tmp_path)
    assert (images.name, len(images.samples)) == ("sars-cov-2-ct", 1985)
    sizes = Counter(sample.group for sample in images.samples)
    # Chaining would put hundreds of slices into one group.
    assert 2 <= max(sizes.values()) < 40
    assert 600 < len(sizes) < 1400
    parts = fold_parts(images, folds=5, fold=0, seed=0)
    assert sum(len(rows) for rows in parts.named().values()) == 1985


def test_class_folders(real_data: Path, tmp_path: Path) -> None:
    images = read_data(real_data / "cxr-4class", cache=tmp_path)
    assert images.name == "folder"
    assert images.classes == ("bacterial-pneumonia", "covid-19", "normal", "viral-pneumonia")
    counts = Counter(sample.label for sample in images.samples)
    assert set(counts.values()) <= {599, 600}


def test_chestxray14(real_data: Path, tmp_path: Path) -> None:
    images = read_data(real_data / "nih-cxr14-sample", cache=tmp_path)
    assert (images.name, images.task, len(images.samples)) == ("chestxray14", "multi-label", 815)
    assert len({sample.group for sample in images.samples}) == 562
    assert not conflicting_rows(images)


def test_masks(real_data: Path, tmp_path: Path) -> None:
    images = read_data(real_data / "kvasir-seg", cache=tmp_path)
    assert (images.name, images.task, len(images.samples)) == ("masks", "segmentation", 878)
    assert any("JPEG" in caveat for caveat in images.caveats)


def test_medmnist(real_data: Path, tmp_path: Path) -> None:
    images = read_data(real_data / "medmnist" / "breastmnist.npz", cache=tmp_path)
    assert images.classes == ("malignant", "normal or benign")
    counts = Counter(sample.split for sample in images.samples)
    assert counts == {"train": 546, "val": 78, "test": 156}


def test_close_slices_share_a_cluster(real_data: Path, tmp_path: Path) -> None:
    images = read_data(real_data / "sars-cov-2-ct", cache=tmp_path)
    hashes = perceptual_hashes({s.name: s.path for s in images.samples}, cache=tmp_path)
    group = {sample.name: sample.group for sample in images.samples}
    names = sorted(hashes)
    bits = np.array([hashes[name] for name in names], dtype=np.int16)
    distance = bits.sum(1)[:, None] + bits.sum(1)[None] - 2 * bits @ bits.T
    close = [(names[i], names[j]) for i, j in np.argwhere(np.triu(distance <= 2, 1))]
    assert len(close) == 181
    assert all(group[one] == group[two] for one, two in close)
