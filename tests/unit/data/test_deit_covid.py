"""The paper's table: one class a row, damaged names, articles as groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from medistill.core.errors import DataError
from medistill.data.deit_covid import is_deit_covid, read_deit_covid
from tests.unit.data.pictures import save_noise

HEADER = "Image Index,Normal,Pneumonia,COVID,fold"


def _set(root: Path, *rows: str) -> Path:
    (root / "covid_labels.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    names = ("N_1.png", "ciaa199.pdf-001-a.png", "ciaa199.pdf-001-b.png")
    for seed, name in enumerate(names):
        save_noise(root / "images" / name, seed)
    return root


def test_labels_folds_and_articles(tmp_path: Path) -> None:
    rows = ("N_1.png  ,1,0,0,train", '"ciaa199.pdf-001-a.png 0, 0, 1",0,0,1,train')
    root = _set(tmp_path, *rows, "ciaa199.pdf-001-b.png,0,0,1,test", "absent.png,0,1,0,val")
    assert is_deit_covid(root)
    assert is_deit_covid(root / "covid_labels.csv")
    images = read_deit_covid(root)
    assert [s.label for s in images.samples] == [0, 2, 2]
    assert [s.split for s in images.samples] == ["train", "train", "test"]
    assert images.samples[1].group == images.samples[2].group == "ciaa199.pdf"
    assert "1 image of the table is not here." in images.caveats


@pytest.mark.parametrize(
    ("row", "words"),
    [("N_1.png,1,1,0,train", "has 2 classes"), ("N_1.png,1,0,0,x", "unknown fold 'x'")],
)
def test_bad_rows_are_refused(tmp_path: Path, row: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_deit_covid(_set(tmp_path, row))


@pytest.mark.parametrize("other", ["N_1.png ,0,1,0,train", "N_1.png,1,0,0,test"])
def test_rows_of_one_image_that_contradict_each_other_are_refused(
    tmp_path: Path, other: str
) -> None:
    rows = ("N_1.png,1,0,0,train", "ciaa199.pdf-001-a.png,0,0,1,train")
    with pytest.raises(DataError, match=r"rows 1 and 3 contradict each other about 'N_1\.png'"):
        read_deit_covid(_set(tmp_path, *rows, other))
    assert len(read_deit_covid(_set(tmp_path, *rows, rows[0])).samples) == 2


def test_a_listed_name_of_two_files_is_refused_and_an_unlisted_one_is_not(tmp_path: Path) -> None:
    root = _set(tmp_path, "N_1.png,1,0,0,train", "ciaa199.pdf-001-a.png,0,0,1,train")
    save_noise(root / "images/other/ciaa199.pdf-001-b.png", 4)
    assert len(read_deit_covid(root).samples) == 2
    save_noise(root / "images/other/N_1.png", 5)
    with pytest.raises(DataError, match=r"'N_1\.png' may be images/N_1\.png or images/other"):
        read_deit_covid(root)


def test_other_tables_are_not_it(tmp_path: Path) -> None:
    (tmp_path / "covid_labels.csv").write_text("path,label\n")
    assert not is_deit_covid(tmp_path)
