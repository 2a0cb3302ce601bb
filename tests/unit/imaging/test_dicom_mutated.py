"""Mutated DICOM never crashes or hangs: it is read, or refused with a sentence of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"
QUICK = (
    "CT_small.dcm",
    "MR_small_RLE.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "MR_small_jp2klossless.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
)
SLOW_SEEDS = range(3)
#: Sample, kind of mutation, number, reason of a refusal, seconds.
Line = tuple[str, str, int, str | None, float]


def _said(
    seed: int, copies: int, names: list[str]
) -> list[tuple[str, str, int, str | None, float]]:
    command = [sys.executable, "-m", "tests.unit.imaging.mutations", str(seed), str(copies)]
    paths = [str(SAMPLES / name) for name in names]
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    done = subprocess.run(
        [*command, *paths],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def _judge(said: list[Line], count: int) -> None:
    assert len(said) == count
    reasons = [reason for _, _, _, reason, _ in said if reason is not None]
    assert all(len(reason) > 10 and "\n" not in reason for reason in reasons)
    # Reasons differ with the fault: one sentence for all would say nothing.
    assert len(set(reasons)) > 10
    assert len(reasons) > count // 4


@pytest.mark.skipif(sys.platform != "linux", reason="the bounds are those of Linux")
def test_a_hundred_copies_are_read_or_refused() -> None:
    _judge(_said(0, 20, list(QUICK)), 100)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the bounds are those of Linux")
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_copies_of_every_sample_are_read_or_refused(seed: int) -> None:
    first = QUICK[0]
    names = [first, *sorted(p.name for p in SAMPLES.glob("*.dcm") if p.name != first)]
    _judge(_said(seed, 10, names), 10 * len(names))
