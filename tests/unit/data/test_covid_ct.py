"""The published layout of COVID-CT, in small."""

from __future__ import annotations

from pathlib import Path

import pytest

from medistill.core.errors import DataError
from medistill.data.covid_ct import article_of, is_covid_ct, read_covid_ct
from tests.unit.data.pictures import smooth_picture

ARTICLE = "2020.02.10.20021584"
TRAIN = ["2020.02.10.20021584-p6-52%0.png", "2020.02.10.20021584-p6-52%1.png", "PIIS0140%0.png"]
VAL = ["2020.03.01.20029769-p21-73_1%1.png"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for seed, name in enumerate(TRAIN + VAL):
        _save(tmp_path / "CT_COVID" / name, seed)
    for seed, name in enumerate(["1.png", "2.jpg", "3%1.png"]):
        _save(tmp_path / "CT_NonCOVID" / name, 10 + seed)
    smooth_picture(10).resize((100, 100)).convert("RGBA").save(tmp_path / "CT_NonCOVID/9.png")
    _write_list(tmp_path, "train", "COVID", TRAIN)
    _write_list(tmp_path, "val", "COVID", VAL)
    _write_list(tmp_path, "train", "NonCOVID", ["1.png", "2.jpg"])
    _write_list(tmp_path, "val", "NonCOVID", ["3%1.png"])
    return tmp_path


def _save(path: Path, seed: int) -> None:
    path.parent.mkdir(exist_ok=True)
    smooth_picture(seed).save(path)


def _write_list(root: Path, split: str, word: str, names: list[str]) -> None:
    path = root / "Data-split" / word / f"{split}CT_{word}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    # As published: no line end after the last name; editors add carriage returns and spaces.
    path.write_bytes(" \r\n".join(names).encode())


def test_labels_splits_and_groups(root: Path) -> None:
    images = read_covid_ct(root)
    found = {s.name: (s.label, s.split, s.group) for s in images.samples}
    assert images.classes == ("non-COVID", "COVID")
    assert found == {
        "CT_COVID/2020.02.10.20021584-p6-52%0.png": (1, "train", f"article {ARTICLE}"),
        "CT_COVID/2020.02.10.20021584-p6-52%1.png": (1, "train", f"article {ARTICLE}"),
        "CT_COVID/2020.03.01.20029769-p21-73_1%1.png": (1, "val", "article 2020.03.01.20029769"),
        "CT_COVID/PIIS0140%0.png": (1, "train", "article PIIS0140"),
        "CT_NonCOVID/1.png": (0, "train", "CT_NonCOVID/1.png"),
        "CT_NonCOVID/2.jpg": (0, "train", "CT_NonCOVID/2.jpg"),
        "CT_NonCOVID/3%1.png": (0, "val", "CT_NonCOVID/3%1.png"),
        # A smaller copy of 1.png in another mode; no list names it.
        "CT_NonCOVID/9.png": (0, None, "CT_NonCOVID/1.png"),
    }
    assert [s.name for s in images.samples] == sorted(found)
    assert images.group_word == "article or near-duplicate cluster"


def test_shared_article_is_a_caveat(root: Path) -> None:
    assert not any("official" in caveat for caveat in read_covid_ct(root).caveats)
    name = f"{ARTICLE}-p7-1.png"
    _save(root / "CT_COVID" / name, 50)
    _write_list(root, "val", "COVID", [*VAL, name])
    caveats = " ".join(read_covid_ct(root).caveats)
    assert f"share 1 article ({ARTICLE}) and 0 clusters of near-duplicates" in caveats


def test_shared_cluster_is_a_caveat(root: Path) -> None:
    _write_list(root, "val", "NonCOVID", ["3%1.png", "9.png"])
    caveats = " ".join(read_covid_ct(root).caveats)
    assert "share 0 articles and 1 cluster of near-duplicates" in caveats


def test_test_list_is_read_where_there_is_one(root: Path) -> None:
    _write_list(root, "test", "NonCOVID", ["9.png"])
    split = {sample.name: sample.split for sample in read_covid_ct(root).samples}
    assert split["CT_NonCOVID/9.png"] == "test"


@pytest.mark.parametrize(
    ("stem", "article"),
    [
        ("2020.01.24.919183-p27-132", "2020.01.24.919183"),
        ("2020.02.10.20021584-p6-52%10", "2020.02.10.20021584"),
        ("2020.03.22.20040782-p25-1541", "2020.03.22.20040782"),
        ("bmj.m606.full-p1-21%0", "bmj.m606.full"),
        ("PIIS0140673620303603%1", "PIIS0140673620303603"),
        ("kjr-21-e24-g1-l-a", "kjr-21-e24"),
        ("radiol.2020200490.fig3", "radiol.2020200490"),
        ("plain", "plain"),
    ],
)
def test_article_is_the_text_before_the_page(stem: str, article: str) -> None:
    assert article_of(stem) == article


def test_layout_is_recognised(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert is_covid_ct(root)
    other = tmp_path_factory.mktemp("other")
    assert not is_covid_ct(other)
    with pytest.raises(DataError, match="does not hold the folders CT_NonCOVID, CT_COVID"):
        read_covid_ct(other)


def test_listed_image_that_is_absent_is_named(root: Path) -> None:
    (root / "CT_COVID" / TRAIN[0]).unlink()
    with pytest.raises(DataError, match=r"trainCT_COVID\.txt: 1 of its images are not there.*%0"):
        read_covid_ct(root)


def test_image_in_two_lists_is_named(root: Path) -> None:
    _write_list(root, "val", "NonCOVID", ["1.png"])
    with pytest.raises(DataError, match=r"valCT_NonCOVID\.txt: 1 of its .* in another list"):
        read_covid_ct(root)


def test_folder_without_images_is_refused(root: Path) -> None:
    for path in (root / "CT_COVID").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="CT_COVID: holds no image"):
        read_covid_ct(root)


def test_lists_with_a_byte_order_mark_are_read(root: Path) -> None:
    path = root / "Data-split" / "COVID" / "valCT_COVID.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    found = {sample.name: sample.split for sample in read_covid_ct(root).samples}
    assert found[f"CT_COVID/{VAL[0]}"] == "val"
