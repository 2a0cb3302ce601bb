"""Facts of every image of a set, with all cores and flat memory; a second run reads its cache."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from medistill.check.facts import VERSION, Facts, Stored, facts_of
from medistill.core.files import atomic_file, sha256_json
from medistill.core.types import Sample
from medistill.data.decode import in_order

_CACHE = "facts.jsonl"


def survey(
    samples: Sequence[Sample],
    *,
    cache: Path | None = None,
    window: str | None = None,
    stored: Stored | None = None,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Facts]:
    """Facts by name, in the order of the samples.

    Args:
        samples: what to read.
        cache: folder of the cache, keyed by name, size and time of the file; None for none.
        window: gray scale of CT, or None.
        stored: also hash this stored form.
        workers: processes; 0 reads here.
        progress: called with (done, total).
    """
    known = _load(cache)
    keys = {sample.name: _key(sample, window, stored) for sample in samples}
    new = [sample for sample in samples if keys[sample.name] not in known]
    found = {keys[s.name]: known[keys[s.name]] for s in samples if keys[s.name] in known}
    done = len(samples) - len(new)
    if progress is not None and done:
        progress(done, len(samples))
    for sample, facts in _computed(new, window, stored, workers):
        found[keys[sample.name]] = facts
        done += 1
        if progress is not None:
            progress(done, len(samples))
    if cache is not None and new:
        _save(cache, found)
    return {sample.name: found[keys[sample.name]] for sample in samples}


def _computed(
    samples: Sequence[Sample], window: str | None, stored: Stored | None, workers: int
) -> Iterator[tuple[Sample, Facts]]:
    act = functools.partial(facts_of, window=window, stored=stored)
    return in_order(samples, act, workers=workers)


def _key(sample: Sample, window: str | None, stored: Stored | None) -> str:
    try:
        status = sample.path.stat()
        seen = (status.st_size, status.st_mtime_ns)
    except OSError:
        seen = (-1, -1)
    form = None if stored is None else (stored.size, stored.channels)
    return sha256_json([str(sample.path), seen, sample.frame, sample.plane, window, form])[:24]


def _load(cache: Path | None) -> dict[str, Facts]:
    if cache is None or not (cache / _CACHE).is_file():
        return {}
    found: dict[str, Facts] = {}
    try:
        with (cache / _CACHE).open(encoding="utf-8") as stream:
            if json.loads(stream.readline()) != VERSION:
                return {}
            for line in stream:
                key, value = json.loads(line)
                found[key] = Facts.from_json(value)
    except (ValueError, TypeError):
        # A cache that cannot be understood costs time, never a result.
        return {}
    return found


def _save(cache: Path, found: Mapping[str, Facts]) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    with atomic_file(cache / _CACHE) as stream:
        stream.write(json.dumps(VERSION).encode() + b"\n")
        for key, facts in found.items():
            stream.write(json.dumps([key, facts.to_json()]).encode() + b"\n")
