from __future__ import annotations

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.evaluate.grouped import check_same_images
from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.mask_scores import MaskScores
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.tables import read_table
from tests.unit.evaluate.label_tables import label_table, mask_table


def test_there_and_back(tmp_path):
    table = label_table()
    table.write_csv(tmp_path / "student.csv", ["a", "b", "c, d"])
    again, names = read_table(tmp_path / "student.csv")
    assert names == ("a", "b", "c, d")
    assert isinstance(again, LabelPredictions)
    check_same_images({"before": table, "after": again})
    assert np.array_equal(again.probabilities, table.probabilities)


def test_the_columns_say_what_it_is(tmp_path, simulate):
    for table, classes, kind in (
        (simulate(), ["a", "b"], Predictions),
        (label_table(), ["a", "b", "c"], LabelPredictions),
        (mask_table(), ["background", "a", "b"], MaskScores),
    ):
        path = tmp_path / f"{kind.__name__}.csv"
        table.write_csv(path, classes)
        assert isinstance(read_table(path)[0], kind)


def test_what_is_no_table_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match="the columns are not"):
        read_table(tmp_path / "empty.csv")
    (tmp_path / "half.csv").write_text("path,group,fold,y_a\nx,1,0,1\n")
    with pytest.raises(DataError, match="columns are not those of labels"):
        read_table(tmp_path / "half.csv")
    (tmp_path / "word.csv").write_text("path,group,fold,y_a,p_a\nx,1,0,1,much\n")
    with pytest.raises(DataError, match="is not a number"):
        read_table(tmp_path / "word.csv")
