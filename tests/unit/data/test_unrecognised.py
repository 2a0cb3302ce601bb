"""What is said of a path that holds no set as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.data.layouts import read_data
from tests.unit.data.pictures import save_noise
from tests.unit.imaging.dicom_files import save


def test_a_folder_of_one_class_is_named_with_its_cure(tmp_path: Path) -> None:
    for seed, name in enumerate(("covid/1.png", "covid/2.png", "normal/3.png")):
        save_noise(tmp_path / name, seed)
    with pytest.raises(DataError, match="2 images lie directly in it, for example 1.png") as caught:
        read_data(tmp_path / "covid", cache=tmp_path / "cache")
    assert "the folder above it" in caught.value.cure
    assert "ictcf" not in caught.value.cure


def test_dicom_files_without_labels_are_asked_for_a_table(tmp_path: Path) -> None:
    for number in range(2):
        save(tmp_path / "tree" / f"{number}", np.full((8, 8), number, np.uint8))
    with pytest.raises(DataError, match="2 images lie directly in it") as caught:
        read_data(tmp_path / "tree", cache=tmp_path / "cache")
    assert "Put one CSV file beside them" in caught.value.cure
    with pytest.raises(DataError, match="holds only the class 'tree'.*put one CSV file"):
        read_data(tmp_path, cache=tmp_path / "cache")


def test_what_is_not_unpacked_is_named(tmp_path: Path) -> None:
    archive = tmp_path / "set" / "Bilder.ZIP"
    archive.parent.mkdir()
    with pytest.raises(DataError, match="set: is empty. Check the path."):
        read_data(archive.parent, cache=tmp_path)
    archive.write_bytes(b"PK")
    with pytest.raises(DataError, match=r"Bilder\.ZIP: is an archive. Unpack it"):
        read_data(archive, cache=tmp_path)
    with pytest.raises(DataError, match=r"set: holds Bilder\.ZIP, and no images. Unpack it"):
        read_data(archive.parent, cache=tmp_path)


def test_images_beside_the_table_that_lists_them_are_not_taken_for_one_class(
    tmp_path: Path,
) -> None:
    save_noise(tmp_path / "1.png", 0)
    (tmp_path / "notes.csv").write_text("who,when\na,b\n")
    (tmp_path / "set.csv").write_text("path,label\n1.png,ill\n")
    with pytest.raises(DataError, match=r"holds images, and set\.csv that lists them") as caught:
        read_data(tmp_path, cache=tmp_path / "cache")
    assert str(tmp_path / "set.csv") in caught.value.cure
