from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from medistill.bundle.acquisition import Acquisition
from medistill.recipe import ExportBlock
from medistill.stages.acquisition import acquisition_of
from tests.unit.imaging.dicom_files import save

PIXELS = np.zeros((4, 4), np.uint8)


def found(paths: list[Path], fit: tuple[int, ...], **block: Any) -> Acquisition:
    context = SimpleNamespace(recipe=SimpleNamespace(export=ExportBlock(**block)))
    samples = [SimpleNamespace(path=path) for path in paths]
    prepared = SimpleNamespace(
        images=SimpleNamespace(samples=samples), parts=[SimpleNamespace(fit=fit)]
    )
    return acquisition_of(context, prepared, 0)  # type: ignore[arg-type]


def test_headers_of_the_part_fit_come_before_the_recipe(tmp_path: Path) -> None:
    paths = [
        save(tmp_path / "a.dcm", PIXELS, Modality="DX", BodyPartExamined="CHEST"),
        save(tmp_path / "b.dcm", PIXELS, Modality="CR"),
        save(tmp_path / "c.dcm", PIXELS, Modality="MR", BodyPartExamined="KNEE"),
    ]
    said = found(paths, (0, 1), modalities=("CT",), body_parts=("LUNG",))
    assert said == Acquisition(modalities=("CR", "DX"), body_parts=("CHEST",))


def test_files_that_do_not_say_leave_it_to_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no DICOM")
    paths = [tmp_path / "a.png", tmp_path / "gone.dcm"]
    assert found(paths, (0, 1), modalities=("CT",)) == Acquisition(modalities=("CT",))
    assert found(paths, (0, 1)) == Acquisition()
