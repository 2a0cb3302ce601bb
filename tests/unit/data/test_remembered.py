from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from medistill.core.types import Sample
from medistill.data.loader import ViewStream
from medistill.data.masks import Masks
from medistill.data.remembered import RememberedViews
from medistill.data.views import ViewPolicy
from tests.unit.data.memory_store import MemoryStore, random_store


def picture(value: float) -> NDArray[np.float32]:
    return np.full((1, 2, 2), value, np.float32)  # 16 bytes


def test_a_view_is_painted_once() -> None:
    memory, painted = RememberedViews(limit=64), []

    def paint() -> NDArray[np.float32]:
        painted.append(1)
        return picture(0.5)

    first, again = memory.get("a", paint), memory.get("a", paint)
    assert np.array_equal(first, again)
    assert len(painted) == 1


def test_what_came_first_stays_when_it_is_full() -> None:
    memory = RememberedViews(limit=32)
    for name in ("a", "b", "c"):
        memory.get(name, lambda: picture(1.0))
    kept = {name: memory.get(name, lambda: picture(2.0))[0, 0, 0] for name in ("a", "b", "c")}
    assert kept == {"a": 1.0, "b": 1.0, "c": 2.0}


def test_batches_are_the_same_with_and_without_memory() -> None:
    store, labels, memory = random_store(6), torch.zeros(6, 2), RememberedViews(limit=10**6)

    def stream(kept: RememberedViews | None, size: int, seed: int = 0) -> ViewStream:
        policy = ViewPolicy(count=2, seed=seed)
        return ViewStream(
            store, labels, range(6), policy, batch_size=4, seed=1, student_size=size, memory=kept
        )

    for size, seed in ((16, 0), (16, 0), (24, 0), (16, 7)):
        for step in range(6):
            kept = stream(memory, size, seed).batch(step).images
            assert torch.equal(kept, stream(None, size, seed).batch(step).images)


def test_masks_are_the_same_with_and_without_memory(tmp_path: Path) -> None:
    """Two rows share their image, and so its content hash, but not their mask."""
    shared = random_store(1)[0]
    store = MemoryStore([shared, shared, *(random_store(2, seed=1)[row] for row in range(2))])
    samples = []
    for row in range(4):
        path = tmp_path / f"{row}.png"
        words = np.random.default_rng(row).integers(0, 2, (20, 26), dtype=np.uint8)
        Image.fromarray(words).save(path)
        samples.append(Sample(path=path, name=path.name, label=None, group=path.stem, mask=path))
    memory = RememberedViews(limit=10**6)

    def stream(kept: RememberedViews | None) -> ViewStream:
        return ViewStream(
            store,
            torch.zeros(4, 2),
            range(4),
            ViewPolicy(count=2),
            batch_size=4,
            seed=1,
            student_size=16,
            masks=Masks(samples, 2),
            memory=kept,
        )

    for step in (0, 1, 0, 1):
        kept, fresh = (stream(each).batch(step).masks for each in (memory, None))
        assert kept is not None
        assert fresh is not None
        assert torch.equal(kept, fresh)
