from __future__ import annotations

from typing import Any

from medistill.report.flow_table import flow, left_out

FLOW = {
    "folds": 2,
    "listed": 1316,
    "unreadable": [
        *({"name": f"{n}.png", "reason": "is empty"} for n in range(5)),
        {"name": "x.png", "reason": "has 0 x 4 pixels"},
    ],
    "stored": 1310,
    "labelled": 1300,
    "unlabelled": 8,
    "removed": 2,
    "parts": {"evaluate": {"images": 300, "groups": 30, "classes": {"well": 290, "ill": 10}}},
}


def of(**changed: Any) -> dict[str, Any]:
    return {"classes": ["well", "ill"], "flow": {**FLOW, **changed}}


def test_parts_and_classes_are_counted() -> None:
    table = flow(of())
    assert table is not None
    assert table.caption == "1,310 images stored, 1,300 with labels, first fold"
    assert table.columns == ("Images", "Groups", "well", "ill")
    ((title, cells),) = table.rows
    assert (title, [cell.value for cell in cells]) == ("Evaluate", ["300", "30", "290", "10"])


def test_what_was_left_out_is_said_with_its_reason() -> None:
    assert left_out(of()) == [
        "6 of 1,316 listed images could not be read and were left out.",
        "5 of them: is empty (0.png, 1.png, 2.png and 2 more).",
        "1 of them: has 0 x 4 pixels (x.png).",
        "10 stored images have no label: 8 were used without, the others equal a "
        "labelled one or belong to what is held out.",
        "2 training images were left out because their group lies in the evaluation part.",
    ]
    assert left_out(of(listed=1310, unreadable=[], labelled=1310))[:2] == [
        "All 1,310 listed images could be read.",
        "Every stored image has a label.",
    ]


def test_nothing_is_said_where_nothing_was_counted() -> None:
    assert flow({"classes": ["well", "ill"], "flow": {}}) is None
    assert left_out({"classes": ["well", "ill"], "flow": {}}) == []
    uncounted = {key: value for key, value in FLOW.items() if key not in ("listed", "unreadable")}
    assert left_out({"classes": ["well", "ill"], "flow": uncounted}) == []
