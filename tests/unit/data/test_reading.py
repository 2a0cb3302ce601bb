"""Pictures come in order, a few at a time, with the reason for each that cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medistill.core.types import Sample
from medistill.data import reading
from medistill.data.reading import Place, batches
from tests.unit.data.pictures import save_noise


def _place(path: Path) -> Place:
    return Place.of(Sample(path=path, name=path.name, label=0, group="a", frame=None))


def test_place_reads_what_the_sample_shows(tmp_path: Path) -> None:
    place = _place(save_noise(tmp_path / "a.png", 1))
    assert place == (str(tmp_path / "a.png"), None, "axial")
    assert np.ptp(place.read(None).pixels) > 0


def test_batches_hold_so_many_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "AT_ONCE", 2 * 24 * 16)
    places = [_place(save_noise(tmp_path / f"{n}.png", n)) for n in range(5)]
    places.insert(1, _place(tmp_path / "gone.png"))
    found = list(batches(places, None))
    assert [len(held) for held in found] == [3, 2, 1]
    assert found[0][1] == "there is no such file"
    for place, read in zip(places, [p for held in found for p in held], strict=True):
        if not isinstance(read, str):
            np.testing.assert_array_equal(read.pixels, place.read(None).pixels)


def test_large_picture_ends_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ALONE", 40 * 40)
    sizes = [(24, 16), (40, 40), (24, 16), (24, 16)]
    places = [_place(save_noise(tmp_path / f"{n}.png", n, size=s)) for n, s in enumerate(sizes)]
    assert [len(held) for held in batches(places, None)] == [2, 2]


def test_no_places_are_no_batches() -> None:
    assert list(batches([], None)) == []
