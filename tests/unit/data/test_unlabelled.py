from pathlib import Path

import pytest
from PIL import Image

from medistill.core.errors import DataError
from medistill.data.unlabelled import read_unlabelled


def test_every_image_below_a_folder_is_found_under_a_name_of_its_own(tmp_path: Path) -> None:
    for name in ("b.png", "a/x y.jpg", "a/肺.png", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if path.suffix == ".txt":
            path.write_text("no image")
        else:
            Image.new("L", (4, 4)).save(path)
    samples = read_unlabelled(str(tmp_path), cache=tmp_path)
    assert [s.name for s in samples] == [
        f"unlabelled/{name}" for name in ("a/x y.jpg", "a/肺.png", "b.png")
    ]
    assert all(sample.label is None for sample in samples)
    assert len({sample.group for sample in samples}) == 3


def test_phantoms_forget_their_labels_and_masks(tmp_path: Path) -> None:
    samples = read_unlabelled("phantom:count=4,size=32", cache=tmp_path)
    assert len(samples) == 4
    assert all(s.label is None and s.mask is None for s in samples)
    assert all(s.name.startswith("unlabelled/") for s in samples)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no image"):
        read_unlabelled(str(tmp_path), cache=tmp_path)
