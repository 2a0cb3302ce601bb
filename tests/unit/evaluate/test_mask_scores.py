from __future__ import annotations

import re

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.evaluate.comparison import evaluate
from medistill.evaluate.grouped import check_same_images
from medistill.evaluate.mask_scores import MaskScores
from medistill.evaluate.tables import read_table
from tests.unit.evaluate.label_tables import mask_table


def test_there_and_back(tmp_path):
    table = mask_table()
    table.write_csv(tmp_path / "student.csv", ["background", "a", "b"])
    again, names = read_table(tmp_path / "student.csv")
    assert names == ("a", "b")
    assert isinstance(again, MaskScores)
    check_same_images({"before": table, "after": again})
    assert np.array_equal(again.answers, table.answers, equal_nan=True)
    (tmp_path / "cut.csv").write_text("path,group,fold,present: a\nx,1,0,1\n")
    with pytest.raises(DataError, match="columns are not those of masks"):
        read_table(tmp_path / "cut.csv")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"names": []}, "there are no images"),
        ({"groups": ["1"]}, "differ in length"),
        ({"pixels": np.full((2, 47), np.nan)}, "a pixel sum is not a finite number"),
        ({"names": ["a", "a"]}, "image 'a' is there more than once"),
    ],
)
def test_refuses_what_cannot_be_judged(change, what):
    good = {"names": ["a", "b"], "groups": ["1", "2"], "present": [[True], [False]],
            "overlaps": np.zeros((2, 1, 4)), "pixels": np.zeros((2, 47))}  # fmt: skip
    with pytest.raises(DataError, match=re.escape(what)):
        MaskScores(**{**good, **change})


def test_the_worse_student_is_named_class_by_class():
    found = evaluate(
        {
            "student": mask_table(noise=3.0, images=60, groups=60),
            "control": mask_table(noise=0.8, model=1, images=60, groups=60),
            "teacher": None,
        },
        classes=["background", "a", "b"],
        group_word="patient",
        resamples=200,
        flips=500,
    )
    assert found["headline"] == "dice"
    assert found["answer"]["verdict"] == "worse"
    assert {each["name"] for each in found["harm"] if each["verdict"] == "worse"} == {"a", "b"}
    assert "Dice" in found["answer"]["harm"][0]
    assert set(found["counts"]["images_per_class"]) == {"a", "b"}
    assert found["models"]["student"]["confusion"] is None
    assert set(found["models"]["student"]["calibration"]["bins"]) == {"pixels"}
