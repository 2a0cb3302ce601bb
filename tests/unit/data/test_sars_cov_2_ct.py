"""The published layout of SARS-CoV-2-CT, in small."""

from __future__ import annotations

from pathlib import Path

import pytest

from medistill.core.errors import DataError
from medistill.data.sars_cov_2_ct import is_sars_cov_2_ct, read_sars_cov_2_ct
from tests.unit.data.pictures import smooth_picture


@pytest.fixture
def root(tmp_path: Path) -> Path:
    names = ["COVID/Covid (1).png", "COVID/Covid (10).png", "non-COVID/Non-Covid (7).png"]
    for seed, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        smooth_picture(seed).save(tmp_path / name)
    smooth_picture(0).resize((96, 96)).save(tmp_path / "non-COVID" / "Non-Covid (8).png")
    return tmp_path


def test_labels_and_groups_over_both_classes(root: Path) -> None:
    images = read_sars_cov_2_ct(root)
    assert images.classes == ("non-COVID", "COVID")
    assert [(s.name, s.label, s.group, s.split) for s in images.samples] == [
        ("COVID/Covid (1).png", 1, "COVID/Covid (1).png", None),
        ("COVID/Covid (10).png", 1, "COVID/Covid (10).png", None),
        ("non-COVID/Non-Covid (7).png", 0, "non-COVID/Non-Covid (7).png", None),
        # A smaller copy of Covid (1): they must never lie in two parts.
        ("non-COVID/Non-Covid (8).png", 0, "COVID/Covid (1).png", None),
    ]


def test_the_words_on_leakage_are_there(root: Path) -> None:
    images = read_sars_cov_2_ct(root)
    assert "patient leakage cannot be excluded" in images.caveats[0].lower()
    assert images.group_word == "near-duplicate cluster"


def test_other_folder_is_not_recognised(tmp_path: Path) -> None:
    for name in ("COVID/1.png", "non-COVID/2.png"):
        (tmp_path / name).parent.mkdir()
        smooth_picture(0).save(tmp_path / name)
    assert not is_sars_cov_2_ct(tmp_path)
    with pytest.raises(DataError, match=r"does not hold COVID/Covid \(N\)\.png"):
        read_sars_cov_2_ct(tmp_path)
