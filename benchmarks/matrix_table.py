"""Markdown tables of a finished matrix: its trials, its seeds, and what its reports answer.

    python -m benchmarks.matrix_table runs/drpl-vit [--score auroc|dice|loss]

Every number is read from ``trials.csv`` and ``rows.csv`` (means over folds) and from the
``metrics.json`` of the runs beside them (what was measured with all groups and seeds).
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import mean

from medistill.core.ending import run_program
from medistill.core.errors import DataError

#: In the order in which one of them is chosen to be shown.
SCORES = ("auroc", "dice", "loss")
Row = Mapping[str, str]


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def trial_lines(rows: Iterable[Row], score: str) -> Iterator[str]:
    """What was tried on *select*: one line a trial, the mean over folds; the best is bold."""
    scores: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in rows:
        if row[score]:
            scores[row["data"], row["name"], row["overrides"]].append(float(row[score]))
    means = {key: mean(values) for key, values in scores.items()}
    yield f"| data | who | tried | {score} on select |"
    yield "|---|---|---|---|"
    for key, value in means.items():
        best = max(other for name, other in means.items() if name[:2] == key[:2])
        cell = f"**{_short(value)}**" if value == best else _short(value)
        yield f"| {key[0]} | {key[1]} | `{key[2] or 'the recipe'}` | {cell} |"


def seed_lines(rows: Iterable[Row], score: str) -> Iterator[str]:
    """One line a data set, method and role: its mean over folds by seed, and over all seeds."""
    scores: dict[tuple[str, str, str], dict[int, list[float]]] = defaultdict(dict)
    for row in rows:
        if row["part"] == "evaluate" and row[score]:
            seeds = scores[row["data"], row["method"], row["role"]]
            seeds.setdefault(int(row["seed"]), []).append(float(row[score]))
    seconds = _seconds(rows)
    yield f"| data | method | who | {score} by seed | mean | seconds a fit |"
    yield "|---|---|---|---|---|---|"
    for key, seeds in scores.items():
        means = [mean(values) for _, values in sorted(seeds.items())]
        each = " ".join(map(_short, means))
        yield f"| {' | '.join(key)} | {each} | {_short(mean(means))} | {seconds[key]:.0f} |"


def _seconds(rows: Iterable[Row]) -> dict[tuple[str, str, str], float]:
    """Mean seconds of a fit."""
    each: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in rows:
        each[row["data"], row["method"], row["role"]].append(float(row["seconds"]))
    return {key: mean(values) for key, values in each.items()}


def answer_lines(out: Path) -> Iterator[str]:
    """What the report of each finished run answers, in its own words."""
    for path in sorted(out.glob("*/evaluation/metrics.json")):
        answer = json.loads(path.read_text(encoding="utf-8"))["answer"]
        yield f"- **{path.parent.parent.name}**: {answer['full']}"


def score_of(rows: Iterable[Row], asked: str | None) -> str:
    """The score that is shown: the one asked for, else that of labels, else that of masks.

    Raises:
        DataError: no row holds it.
    """
    held = {score for row in rows for score in SCORES if row.get(score)}
    chosen = asked or next((score for score in SCORES if score in held), None)
    if chosen not in held:
        what = f"no fit has the score '{chosen or 'auroc'}'"
        cure = f"Take one of those that it holds: {', '.join(sorted(held)) or 'none yet'}."
        raise DataError(where="rows.csv", what=what, cure=cure)
    return str(chosen)


def _short(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1)


def main() -> None:
    """Print the tables of one matrix."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--score", choices=SCORES)
    options = parser.parse_args()
    trials, rows = _rows(options.out / "trials.csv"), _rows(options.out / "rows.csv")
    score = score_of([*rows, *trials], options.score)
    for lines in (trial_lines(trials, score), seed_lines(rows, score)):
        print("\n".join(lines), end="\n\n")
    print("\n".join(answer_lines(options.out)))


if __name__ == "__main__":
    run_program(main, "matrix_table")
