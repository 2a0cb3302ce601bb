from __future__ import annotations

from medistill.report.decision_tables import Grid
from medistill.report.grids import grid_lines
from medistill.report.tables import Cell


def test_columns_are_as_wide_as_their_longest_entry() -> None:
    cells = (Cell(value="0.9", interval="0.8 to 1.0"), Cell(value="7", note="few"))
    table = Grid(caption="What", columns=("Long heading", "B"), rows=(("row", cells),))
    assert grid_lines(table) == [
        "What",
        "     Long heading      B",
        "row  0.9 (0.8 to 1.0)  7 few",
    ]
