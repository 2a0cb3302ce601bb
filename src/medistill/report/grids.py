"""Tables of figures as lines of text for a terminal."""

from __future__ import annotations

from medistill.report.decision_tables import Grid
from medistill.report.tables import Cell


def grid_lines(table: Grid) -> list[str]:
    """Caption, headings and rows, in columns as wide as their longest entry."""
    heads = ["", *table.columns]
    body = [[title, *(_plain(cell) for cell in cells)] for title, cells in table.rows]
    widths = [max(len(row[column]) for row in [heads, *body]) for column in range(len(heads))]
    return [
        table.caption,
        *(
            "  ".join(t.ljust(width) for t, width in zip(row, widths, strict=True)).rstrip()
            for row in [heads, *body]
        ),
    ]


def _plain(cell: Cell) -> str:
    parts = [cell.value, f"({cell.interval})" if cell.interval else "", cell.note, cell.verdict]
    return " ".join(part for part in parts if part)
