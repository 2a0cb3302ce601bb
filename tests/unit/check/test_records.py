"""A row of fixed size gives back what was written into it."""

from __future__ import annotations

import numpy as np
import pytest

from medistill.check.facts import Facts
from medistill.check.records import RECORD, FactsTable, Records


def _rows() -> np.ndarray:
    rows = np.zeros(2, dtype=RECORD)
    rows["content"][0], rows["bits"][0], rows["thumb"][0] = bytes(range(16)), 255, np.arange(256)
    rows["size_bytes"][0], rows["width"][0], rows["height"][0] = 2**40, 30, 20
    rows["letters"][0], rows["white"][0], rows["low"][0] = 5, 0.25, 0.1
    rows["corners"][0], rows["edges"][0] = np.arange(4), np.arange(8) / 8
    rows["look"][0] = np.arange(1024) % 251
    rows["unreadable"][1] = True
    return rows


def test_facts_are_those_of_the_row() -> None:
    table = FactsTable(["a", "b"], Records.of(_rows(), ["PNG L", "is text"]))
    assert table["a"] == Facts(
        kind="PNG L",
        width=30,
        height=20,
        size_bytes=2**40,
        low=0.1,
        white=0.25,
        corners=(0, 1, 2, 3),
        edges=tuple(np.arange(8) / 8),
        letters=5,
        content=bytes(range(16)).hex(),
        bits="ff" * 8,
        thumb=bytes(range(256)).hex(),
        look=bytes(k % 251 for k in range(1024)).hex(),
    )
    assert table["b"] == Facts(problem="is text")


def test_table_is_a_mapping_in_the_order_of_its_rows() -> None:
    table = FactsTable(["b", "a"], Records.of(_rows(), ["x", "x"]))
    assert (list(table), len(table), "c" in table) == (["b", "a"], 2, False)
    with pytest.raises(KeyError):
        table["c"]


def test_texts_are_held_once() -> None:
    records = Records.of(_rows(), ["same", "same"])
    assert records.texts == ["same"]
    assert records.rows["text"].tolist() == [0, 0]


def test_hash_of_the_stored_form_is_empty_where_it_was_not_asked_for() -> None:
    rows = _rows()
    rows["stored"][0] = b"\1" * 32
    assert FactsTable(["a", "b"], Records.of(rows, ["", ""]))["a"].stored == "01" * 32
    assert FactsTable(["a", "b"], Records.of(_rows(), ["", ""]))["a"].stored == ""
