"""Learning curves from the CSV that training writes: one row an epoch."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LOSS, TERM, SELECT = "loss", "term.", "select."


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Learning curves of one model.

    Attributes:
        epochs: numbers of the epochs.
        terms: the loss, and its terms where it has several, by name.
        scores: scores on the selection part by column, for example ``ema.auroc``.
    """

    epochs: tuple[float, ...]
    terms: Mapping[str, tuple[float, ...]]
    scores: Mapping[str, tuple[float, ...]]


def read_curves(path: Path) -> Curves | None:
    """Read a history; None where the file is missing or has no epoch.

    Columns: ``epoch``, ``loss``, ``term.<name>``, ``select.<raw|ema>.<metric>``; others are left
    out. A value that is missing or no number becomes NaN, which plots leave out.
    """
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    if not rows:
        return None
    columns = {name: tuple(_number(row.get(name)) for row in rows) for name in rows[0] if name}
    terms = {name.removeprefix(TERM): v for name, v in columns.items() if name.startswith(TERM)}
    total = {"total": columns[LOSS]} if LOSS in columns else {}
    return Curves(
        epochs=columns.get("epoch", tuple(float(n + 1) for n in range(len(rows)))),
        terms={**total, **(terms if len(terms) > 1 else {})},
        scores={n.removeprefix(SELECT): v for n, v in columns.items() if n.startswith(SELECT)},
    )


def best_column(curves: Curves, metric: str) -> tuple[float, ...] | None:
    """The better of the raw and the averaged weights' scores; None without the metric."""
    found = [values for name, values in curves.scores.items() if name.split(".")[-1] == metric]
    return max(found, key=_highest, default=None)


def _highest(values: tuple[float, ...]) -> float:
    return max((value for value in values if not math.isnan(value)), default=-math.inf)


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
