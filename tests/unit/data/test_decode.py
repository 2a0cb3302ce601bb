"""Images come in order, bad ones as errors, with a few in memory at most."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from medistill.core.types import Sample
from medistill.data.decode import decoded_in_order
from tests.unit.data.pictures import save_noise


@pytest.fixture
def samples(tmp_path: Path) -> tuple[Sample, ...]:
    paths = [save_noise(tmp_path / f"{n}.png", n, size=(16 + n, 16)) for n in range(8)]
    paths[3].write_bytes(b"broken")
    return tuple(Sample(path=path, name=path.name, label=0, group=path.name) for path in paths)


@pytest.mark.parametrize("workers", [0, 2])
def test_order_is_that_of_the_samples(samples: tuple[Sample, ...], workers: int) -> None:
    found = list(decoded_in_order(samples, stored_size=16, channels="gray", workers=workers))
    assert [sample for sample, _ in found] == list(samples)
    widths = [pixels.shape[1] for _, pixels in found if isinstance(pixels, np.ndarray)]
    assert widths == [16, 17, 18, 20, 21, 22, 23]


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_image_is_a_reason_in_its_place(samples: tuple[Sample, ...], workers: int) -> None:
    decoded = decoded_in_order(samples, stored_size=8, channels="rgb", workers=workers)
    reasons = {row: pixels for row, (_, pixels) in enumerate(decoded) if isinstance(pixels, str)}
    assert reasons == {3: "is not a PNG, JPEG, TIFF or BMP image, nor DICOM or NIfTI"}


def test_few_images_wait_in_memory(samples: tuple[Sample, ...]) -> None:
    taken: list[str] = []

    class Watched(tuple[Sample, ...]):
        def __iter__(self) -> Iterator[Sample]:
            for sample in super().__iter__():
                taken.append(sample.name)
                yield sample

    decoded = decoded_in_order(Watched(samples), stored_size=8, channels="gray", workers=1)
    for number, _ in enumerate(decoded, start=1):
        assert len(taken) <= number + 2


def test_nothing_is_decoded_before_it_is_asked_for(samples: tuple[Sample, ...]) -> None:
    decoded: Iterator[object] = decoded_in_order(samples, stored_size=8, channels="gray")
    next(decoded)
    samples[1].path.unlink()
    _, second = next(decoded)  # type: ignore[misc]
    assert second == "there is no such file"
