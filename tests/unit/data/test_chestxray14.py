"""ChestX-ray14: fourteen findings, patients and lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from medistill.core.errors import DataError
from medistill.data.chestxray14 import FINDINGS, is_chestxray14, read_chestxray14
from tests.unit.data.pictures import save_noise

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,View Position,Patient Gender"
)


def _set(root: Path, finding: str = "Mass|Hernia") -> Path:
    rows = [
        f"1_0.png,{finding},0,1,50,PA,F",
        "1_1.png,No Finding,1,1,51,AP,F",
        "2_0.png,Mass,0,2,9,,M",
    ]
    (root / "Data_Entry_2017.csv").write_text("\n".join([HEADER, *rows]))
    save_noise(root / "images_001" / "images" / "1_0.png", 0)
    save_noise(root / "images_002" / "images" / "1_1.png", 1)
    (root / "train_val_list.txt").write_text("1_0.png\n1_1.png\n")
    return root


def test_labels_patients_and_lists(tmp_path: Path) -> None:
    assert is_chestxray14(_set(tmp_path))
    images = read_chestxray14(tmp_path)
    first, second = images.samples
    assert {FINDINGS[k] for k, v in enumerate(first.label or ()) if v} == {"Mass", "Hernia"}  # type: ignore[arg-type]
    assert second.label == (0.0,) * 14
    assert (first.group, second.group, first.split) == ("patient 1", "patient 1", "train")
    assert first.attributes == {"view": "PA", "sex": "F", "age": "50"}
    assert "1 image of the table is not here." in images.caveats


def test_unknown_finding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown finding 'Mas'"):
        read_chestxray14(_set(tmp_path, "Mas"))


def _rewritten(root: Path, old: str, new: str) -> Path:
    table = root / "Data_Entry_2017.csv"
    table.write_text(table.read_text().replace(old, new))
    return root


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    words = r"csv: has no column 'patient id' \(it has: image index, .*patientid.*Name the columns"
    with pytest.raises(DataError, match=words):
        read_chestxray14(_rewritten(_set(tmp_path), "Patient ID", "PatientID"))


def test_the_sex_is_kept_under_either_word(tmp_path: Path) -> None:
    images = read_chestxray14(_rewritten(_set(tmp_path), "Patient Gender", "Patient Sex"))
    assert images.samples[0].attributes["sex"] == "F"


def test_equal_rows_are_one_image_and_others_are_refused(tmp_path: Path) -> None:
    table = _set(tmp_path) / "Data_Entry_2017.csv"
    table.write_text(table.read_text() + "\n1_1.png,No Finding,9,1,51,AP,F")
    images = read_chestxray14(tmp_path)
    assert len(images.samples) == 2
    assert "1 image of the table is not here." in images.caveats
    table.write_text(table.read_text() + "\n1_1.png,Mass,1,1,51,AP,F")
    with pytest.raises(DataError, match="rows 2 and 5 contradict each other about '1_1.png'"):
        read_chestxray14(tmp_path)


def test_a_byte_order_mark_takes_no_image_out_of_its_part(tmp_path: Path) -> None:
    text = "\ufeff1_0.png\r\n1_1.png\r\n"
    (_set(tmp_path) / "train_val_list.txt").write_text(text, encoding="utf-8")
    assert [sample.split for sample in read_chestxray14(tmp_path).samples] == ["train", "train"]
