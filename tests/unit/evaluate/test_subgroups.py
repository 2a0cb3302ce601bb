from __future__ import annotations

from pathlib import Path

import pytest

from medistill.core.errors import DataError
from medistill.evaluate.subgroups import (
    Subgroup,
    columns_left_out,
    read_subgroups,
    subgroups,
    write_subgroups,
)


def test_columns_with_few_values_make_subgroups_and_age_makes_bands() -> None:
    rows = [
        {"sex": "F", "age": "17", "file": "a", "site": "one"},
        {"sex": "M", "age": "065Y", "file": "b", "site": "one"},
        {"sex": "", "age": "n/a", "file": "c", "site": "one"},
        {"sex": "F", "age": "39.5", "file": "d", "site": "one"},
    ] * 4
    for number, row in enumerate(rows):
        rows[number] = {**row, "file": str(number)}
    found = {each.name: each.rows.tolist()[:2] for each in subgroups(rows)}
    assert found == {
        "sex F": [0, 3],
        "sex M": [1, 5],
        "sex unknown": [2, 6],
        "age under 18": [0, 4],
        "age 65 and over": [1, 5],
        "age unknown": [2, 6],
        "age 18 to 39": [3, 7],
    }


def test_sites_and_devices_may_have_many_values_and_other_columns_are_named() -> None:
    rows = [
        {
            "hospital": f"h{n % 14}",
            "device": str(n),
            "visit": f"v{n % 14}",
            "sex": "FM"[n % 2],
            "Age (years)": str(20 + n % 60),
            "batch": f"b{n % 12}",
        }
        for n in range(140)
    ]
    columns = [each.column for each in subgroups(rows)]
    assert dict.fromkeys(columns) == dict.fromkeys(["hospital", "sex", "Age (years)", "batch"])
    assert columns.count("hospital") == 14
    assert columns_left_out(rows) == ["device (140 values)", "visit (14 values)"]
    # Without a single value of ten images none could be tested.
    assert columns_left_out(rows[:120])[0] == "hospital (14 values)"


def test_small_sites_are_counted_and_not_told_one_by_one() -> None:
    serials = ["A"] * 12 + [""] * 12 + [str(number) for number in range(40)]
    rows = [{"scanner serial": each} for each in serials]
    assert [(each.value, len(each.rows)) for each in subgroups(rows)] == [
        ("A", 12),
        ("unknown", 12),
    ]
    assert columns_left_out(rows) == ["scanner serial (40 values of fewer than 10 images)"]
    # Missing values are no site.
    assert columns_left_out(rows[12:]) == ["scanner serial (41 values)"]


def test_a_column_of_one_value_or_of_none_is_named() -> None:
    rows = [{"sex": "F", "site": "", "age": str(50 + n % 3)} for n in range(40)]
    assert subgroups(rows) == []
    assert columns_left_out(rows) == ["sex (1 value)", "site (no values)", "age (1 value)"]


def test_ages_that_are_mostly_no_ages_are_words() -> None:
    words = ["adult", "child", "adult", "61"]
    found = {each.name: each.rows.tolist() for each in subgroups([{"age": word} for word in words])}
    assert found == {"age 61": [3], "age adult": [0, 2], "age child": [1]}
    found = {each.name: each.rows.tolist() for each in subgroups([{"age": w} for w in words[2:]])}
    assert found == {"age 40 to 64": [1], "age unknown": [0]}


def test_no_columns_make_none() -> None:
    assert subgroups([{}, {}]) == []


def told(found: list[Subgroup]) -> list[tuple[str, str, list[int]]]:
    return [(each.column, each.value, each.rows.tolist()) for each in found]


def test_subgroups_come_back_from_their_file_in_any_order_of_images(tmp_path: Path) -> None:
    ages = ["17", "70", "", "66"]
    found = subgroups([{"sex": "FM"[n % 2], "age": age} for n, age in enumerate(ages)])
    path = tmp_path / "subgroups.csv"
    write_subgroups(path, ["d", "c", "b", "a"], found)
    assert "70" not in path.read_text()
    assert told(read_subgroups(path, ["d", "c", "b", "a"])) == told(found)
    assert told(read_subgroups(path, ["a", "b", "c"])) == [
        ("sex", "F", [1]),
        ("sex", "M", [0, 2]),
        ("age", "65 and over", [0, 2]),
        ("age", "unknown", [1]),
    ]
    with pytest.raises(DataError, match="does not tell the subgroups of 'e'"):
        read_subgroups(path, ["a", "e"])


def test_images_without_columns_are_written_and_have_none(tmp_path: Path) -> None:
    write_subgroups(tmp_path / "subgroups.csv", ["a", "b"], [])
    assert read_subgroups(tmp_path / "subgroups.csv", ["a", "b"]) == []
