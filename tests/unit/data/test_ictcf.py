"""iCTCF: three classes; patients by path where all are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from medistill.core.errors import DataError
from medistill.data.ictcf import is_ictcf, read_ictcf
from tests.unit.data.pictures import save_noise


@pytest.mark.parametrize("named", [True, False])
def test_classes_and_groups(tmp_path: Path, named: bool) -> None:
    for seed, folder in enumerate(("NiCT", "nCT", "pCT")):
        name = f"Patient {seed // 2}/IMG.png" if named else f"{seed}.png"
        save_noise(tmp_path / folder / name, seed)
    assert is_ictcf(tmp_path)
    images = read_ictcf(tmp_path)
    assert [s.label for s in images.samples] == [0, 1, 2]
    groups = [s.group for s in images.samples]
    assert groups == (
        ["patient 0", "patient 0", "patient 1"] if named else [s.name for s in images.samples]
    )


def test_empty_class_is_refused(tmp_path: Path) -> None:
    for folder in ("NiCT", "nCT", "pCT"):
        (tmp_path / folder).mkdir()
    with pytest.raises(DataError, match="holds no image"):
        read_ictcf(tmp_path)
