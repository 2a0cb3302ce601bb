"""What joins the labels of a cell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medistill.core.errors import DataError
from medistill.data.label_cells import split_cells

WHERE = Path("list.csv")


@pytest.mark.parametrize(
    ("column", "cells", "words"),
    [
        ("label", ["a|b", " c "], [("a", "b"), ("c",)]),
        ("label", ["a; b;", "c"], [("a", "b"), ("c",)]),
        ("labels", ["a, b", "c"], [("a", "b"), ("c",)]),
        ("labels", ["pneumonia, viral|mass", "mass"], [("pneumonia, viral", "mass"), ("mass",)]),
        ("labels", ["pneumonia, viral; mass", "mass"], [("pneumonia, viral", "mass"), ("mass",)]),
        ("label", ["pneumonia, viral", "pneumonia, bacterial", "well"], None),
        ("labels", ["a", "b"], None),
        ("label", ["(normal)", "[ill"], None),
        ("label", ["[atypical nevus]", "[1]"], None),
        ("labels", ["['a', 'b']", "['c']", "none"], [("a", "b"), ("c",), ("none",)]),
        ("label", ["['a|b', 'c;d, e']", "[]"], [("a|b", "c;d, e"), ()]),
    ],
)
def test_what_joins_labels(
    column: str, cells: list[str], words: list[tuple[str, ...]] | None
) -> None:
    assert split_cells(cells, where=WHERE, column=column) == words


@pytest.mark.parametrize(
    ("column", "cells", "message"),
    [
        ("labels", ["['1', '0']"], r"'\['1', '0'\]', which looks like one 0 or 1 for each class"),
        ("labels", ["1,0,0", "0,1,0"], "'1,0,0', which looks like one 0 or 1 for each class"),
        ("labels", ["1,0", "0,1"], "'1,0', which looks like one 0 or 1 for each class"),
        ("label", ["0|1", "1|0"], "which looks like one 0 or 1 for each class"),
        ("label", ["a|b", "c;d"], r"holds 'c;d', and 'a\|b', which are joined otherwise"),
        ("label", ["A, b", "a", "B"], "'A, b', whose parts are classes of other rows"),
    ],
)
def test_what_may_be_meant_in_two_ways_is_refused(
    column: str, cells: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        split_cells(cells, where=WHERE, column=column)
    assert "Join the labels of an image by |" in str(caught.value)


@pytest.mark.parametrize("cell", ["[1 0 0]", "['a' 'b']", "edema"])
def test_a_cell_that_is_no_list_among_lists_is_refused_with_its_row(cell: str) -> None:
    with pytest.raises(DataError, match=f"holds {re.escape(cell)} in row 2, which is no list"):
        split_cells(["['a', 'b']", cell], where=WHERE, column="labels")
