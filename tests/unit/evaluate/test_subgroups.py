from __future__ import annotations

from medistill.evaluate.subgroups import subgroups


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


def test_no_columns_make_none() -> None:
    assert subgroups([{}, {}]) == []
