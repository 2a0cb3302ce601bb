"""The COVID-19 Radiography Database in its old and its new form; masks are no images."""

from __future__ import annotations

from pathlib import Path

import pytest

from medistill.core.errors import DataError
from medistill.data.covid_radiography import is_covid_radiography, read_covid_radiography
from tests.unit.data.pictures import save_noise


@pytest.mark.parametrize("inner", ["images/", ""])
def test_classes_without_masks(tmp_path: Path, inner: str) -> None:
    for seed, name in enumerate(("COVID", "Normal", "Viral Pneumonia")):
        save_noise(tmp_path / name / f"{inner}{name}-1.png", seed)
        if inner:
            save_noise(tmp_path / name / "masks" / f"{name}-1.png", 9)
    assert is_covid_radiography(tmp_path)
    images = read_covid_radiography(tmp_path)
    assert images.classes == ("Normal", "COVID", "Viral Pneumonia")
    assert [sample.label for sample in images.samples] == [1, 0, 2]


def test_empty_class_is_refused(tmp_path: Path) -> None:
    for name in ("COVID", "Normal", "Viral Pneumonia"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="holds no image"):
        read_covid_radiography(tmp_path)
