"""Every case shows its picture through our reader, and the judge knows same, inverted and off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.dicom_cases import Case, cases, write
from benchmarks.dicom_readers import judged, table, verdict
from benchmarks.dicom_system import SYSTEMS
from medistill.imaging.reader import read_image

SLOPE = np.linspace(0, 1, 20).reshape(4, 5)


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_case_shows_its_picture(tmp_path: Path, case: Case) -> None:
    write(case, tmp_path / "a.dcm")
    found = read_image(tmp_path / "a.dcm").pixels
    np.testing.assert_allclose(found, case.shown, atol=1 / 255)
    assert judged(found, case.shown, rescale=False).endswith("same")


def test_judge() -> None:
    assert judged(SLOPE * 4095, SLOPE, rescale=True) == "0 to 4095; same"
    assert judged(SLOPE * 4095, SLOPE, rescale=False).endswith("off by up to 4094.00")
    assert judged(1 - SLOPE, SLOPE, rescale=True) == "0 to 1; inverted"
    assert judged(SLOPE**2, SLOPE, rescale=True) == "0 to 1; off by up to 0.25"
    assert judged(SLOPE[..., None], SLOPE, rescale=True) == "0 to 1; same"
    assert judged(SLOPE.T, SLOPE, rescale=True) == "0 to 1; shape 5x4"


def test_refusal_is_shown(tmp_path: Path) -> None:
    case = next(iter(cases()))
    (tmp_path / f"{case.name}.txt").write_text("no such thing")
    assert verdict(case, tmp_path, rescale=True) == "refused: no such thing"


def test_table_has_a_row_a_case(tmp_path: Path) -> None:
    for name in SYSTEMS:
        (tmp_path / name).mkdir()
        for case in cases():
            np.save(tmp_path / name / f"{case.name}.npy", case.shown)
    lines = table(tmp_path).splitlines()
    assert len(lines) == 2 + len(list(cases()))
    assert all(line.count("same") == 3 for line in lines[2:])
