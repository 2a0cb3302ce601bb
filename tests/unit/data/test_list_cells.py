"""Lists of words in cells, and what only looks like one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from medistill.core.errors import DataError
from medistill.data.list_cells import is_list, listed_words

WHERE = Path("list.csv")
PLAIN = frozenset({"none"})


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("['pneumonia', 'loc right']", ("pneumonia", "loc right")),
        ('["a","b"]', ("a", "b")),
        ("[ 'a' , \"Kerley's lines\", ]", ("a", "Kerley's lines")),
        ("('a', 'b')", ("a", "b")),
        ("{'a'}", ("a",)),
        ("['']", ()),
        ("[]", ()),
        ("[ ]", ()),
        (r"['it\'s \"wide\"', 'a\xa0b']", ('it\'s "wide"', "a\xa0b")),
        ("['a], [b', 'c, d']", ("a], [b", "c, d")),
        ("None", ("None",)),
    ],
)
def test_words_of_a_list(cell: str, words: tuple[str, ...]) -> None:
    assert is_list(cell) == (cell != "None")
    assert listed_words([cell], PLAIN, where=WHERE, column="labels") == [words]


@pytest.mark.parametrize("words", [["肺炎", "é"], ['a"b', "c\\d"], ["x|y"]])
def test_what_python_and_json_write_comes_back(words: list[str]) -> None:
    for cell in (repr(words), json.dumps(words)):
        assert listed_words([cell], PLAIN, where=WHERE, column="labels") == [tuple(words)]


@pytest.mark.parametrize(
    "cell",
    [
        "['a' 'b']",
        "['a', 'b'",
        "'a', 'b']",
        "[1, 0]",
        "[1 0 0]",
        "['a', 1]",
        "['a', ['b']]",
        "{'a': 1}",
        "[a, b]",
        "edema",
        "['a',, 'b']",
        "['a', __import__('os')]",
        r"['\x']",
        r"['\ud800']",
        "[" * 5000,
        "['" + "a" * 10**4 + "']",
    ],
)
def test_any_other_cell_is_refused_with_its_row(cell: str) -> None:
    with pytest.raises(DataError, match=r"list.csv: column 'labels' holds .* in row 3, .*Write"):
        listed_words(["['a']", "none", cell], PLAIN, where=WHERE, column="labels")


def test_a_refused_cell_is_shown_and_cut() -> None:
    cell = "[" + "1, " * 100 + "]"
    with pytest.raises(DataError, match=re.escape(f"holds {cell[:60]}.. in row 1, which is no")):
        listed_words([cell], PLAIN, where=WHERE, column="labels")


@pytest.mark.parametrize("cell", ["(normal)", "[ill", "[atypical nevus]", "[1]", "a]", "", "''"])
def test_names_in_brackets_are_no_lists(cell: str) -> None:
    assert not is_list(cell)
