"""A second survey reads its cache; processes and their number change nothing."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from medistill.check import survey as module
from medistill.check.facts import Facts
from medistill.check.measure import Stored, measured
from medistill.check.records import Records
from medistill.check.survey import Survey, survey
from medistill.core.types import Sample
from medistill.data.reading import Place
from medistill.data.storing import build_store
from tests.unit.data.pictures import noise_set, save_noise


@pytest.fixture
def samples(tmp_path: Path) -> tuple[Sample, ...]:
    paths = [save_noise(tmp_path / f"{seed}.png", seed) for seed in range(6)]
    return tuple(Sample(path=p, name=p.name, label=0, group=p.name) for p in paths)


def test_second_survey_reads_its_cache(
    samples: tuple[Sample, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    first = survey(samples, cache=cache)
    assert all(facts.content for facts in first.values())
    monkeypatch.setattr(module, "measured", lambda *a, **k: pytest.fail("read again"))
    counts: list[tuple[int, int]] = []
    again = survey(samples, cache=cache, progress=lambda done, total: counts.append((done, total)))
    assert again == first
    assert counts == [(6, 6)]


def test_changed_file_is_read_again(samples: tuple[Sample, ...], tmp_path: Path) -> None:
    first = survey(samples, cache=tmp_path / "cache")
    save_noise(samples[0].path, 99)
    os.utime(samples[0].path, ns=(1, 1))
    second = survey(samples, cache=tmp_path / "cache")
    changed = [name for name in first if first[name] != second[name]]
    assert changed == [samples[0].name]


def test_processes_give_the_same(samples: tuple[Sample, ...]) -> None:
    assert survey(samples, workers=2) == survey(samples)


def test_damaged_cache_costs_time_alone(samples: tuple[Sample, ...], tmp_path: Path) -> None:
    first = dict(survey(samples, cache=tmp_path))
    page = tmp_path / "facts.json"
    for damage in (
        lambda: next(tmp_path.glob("facts-*.bin")).write_bytes(b"cut off"),
        lambda: page.write_text("rubbish"),
        lambda: page.write_text('{"version": "facts-0"}'),
    ):
        damage()
        assert survey(samples, cache=tmp_path) == first
        assert len(list(tmp_path.glob("facts-*.bin"))) == 1


def test_missing_file_is_a_problem(samples: tuple[Sample, ...], tmp_path: Path) -> None:
    gone = dataclasses.replace(samples[0], path=tmp_path / "gone.png", name="gone.png")
    assert dict(survey([gone])) == {"gone.png": Facts(problem="there is no such file")}


def test_other_settings_are_another_cache(samples: tuple[Sample, ...], tmp_path: Path) -> None:
    assert not survey(samples, cache=tmp_path)["0.png"].stored
    assert survey(samples, cache=tmp_path, stored=Stored(16, "gray"))["0.png"].stored


def test_more_and_fewer_images_read_what_is_new_alone(
    samples: tuple[Sample, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = survey(samples)
    survey(samples[:3], cache=tmp_path)
    read: list[str] = []
    monkeypatch.setattr(module, "measured", lambda places, **options: _noted(read, places))
    assert survey(samples[::-1], cache=tmp_path) == expected
    assert sorted(Path(path).name for path in read) == ["3.png", "4.png", "5.png"]
    assert survey(samples[1:4], cache=tmp_path)["2.png"] == expected["2.png"]
    assert len(read) == 3


def test_who_watches_the_store_learns_the_same(tmp_path: Path) -> None:
    images = noise_set(tmp_path / "set", 9)
    images.samples[4].path.write_bytes(b"broken")
    for workers in (0, 2):
        found = Survey(images.samples, cache=tmp_path / f"cache{workers}")
        store = build_store(
            images,
            tmp_path / "store",
            stored_size=8,
            channels="gray",
            skip_unreadable=True,
            workers=workers,
            watch=found.watch(),
        )
        assert len(store) == 8
        assert found.facts() == survey(images.samples)
        assert survey(images.samples, cache=tmp_path / f"cache{workers}") == found.facts()


def _noted(read: list[str], places: Sequence[Place]) -> Records:
    read += [place.path for place in places]
    return measured(places)
