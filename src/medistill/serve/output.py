"""Writes predictions as CSV or JSON lines, to a file or to standard output. Torch-free."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

from medistill.core.errors import MedistillError, UnknownNameError
from medistill.core.files import atomic_file
from medistill.serve.prediction import Prediction

Form = Literal["csv", "jsonl"]
Write = Callable[[Prediction], None]
_FORMS: dict[str, Form] = {".csv": "csv", ".jsonl": "jsonl"}


def form_of(out: Path | None) -> Form:
    """CSV or JSON lines, by the ending of the file; CSV for standard output.

    Raises:
        UnknownNameError: any other ending.
    """
    if out is None:
        return "csv"
    if out.suffix.lower() not in _FORMS:
        raise UnknownNameError(where="--out", kind="format", name=out.suffix, known=_FORMS)
    return _FORMS[out.suffix.lower()]


@contextmanager
def prediction_writer(
    out: Path | None, classes: Sequence[str], form: Form | None = None
) -> Iterator[Write]:
    """Yield a function that writes one prediction.

    Columns of the CSV: ``path``, ``label``, one probability a class under the class's name,
    ``problem``; a class that is called like one of these gets ``probability of`` before it. A
    JSON line holds the same, the probabilities as an object by class. Text is UTF-8; bytes of a
    file name that are not are written as escapes.

    Args:
        out: the file, which appears when the block ends without error; None for standard output.
        classes: names in the order of the probabilities.
        form: what to write; None to go by the ending.

    Raises:
        UnknownNameError: an ending that is neither ``.csv`` nor ``.jsonl``.
        MedistillError: the file cannot be written.
    """
    make = {"csv": _csv_writer, "jsonl": _json_writer}[form or form_of(out)]
    if out is None:
        yield make(sys.stdout, classes)
        sys.stdout.flush()
        return
    _check_writable(out)
    with atomic_file(out) as stream:
        text = io.TextIOWrapper(stream, "utf-8", errors="backslashreplace", newline="")
        yield make(text, classes)
        text.flush()
        text.detach()


def _check_writable(out: Path) -> None:
    if out.is_dir():
        raise MedistillError(where=out, what="is a folder", cure="Name a file with --out.")
    if not out.parent.is_dir():
        what = f"the folder '{out.parent}' does not exist"
        raise MedistillError(where=out, what=what, cure="Create it first.")


def _csv_writer(stream: IO[str], classes: Sequence[str]) -> Write:
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(["path", "label", *(_column(name) for name in classes), "problem"])

    def write(found: Prediction) -> None:
        values = found.probabilities or ("",) * len(classes)
        numbers = [value if value == "" else f"{value:.8g}" for value in values]
        rows.writerow([found.path, found.label or "", *numbers, found.problem or ""])

    return write


def _json_writer(stream: IO[str], classes: Sequence[str]) -> Write:
    def write(found: Prediction) -> None:
        values = found.probabilities
        line = {
            "path": found.path,
            "label": found.label,
            "probabilities": values and dict(zip(classes, values, strict=True)),
            "problem": found.problem,
        }
        stream.write(json.dumps(line, ensure_ascii=False) + "\n")

    return write


def _column(name: str) -> str:
    return f"probability of {name}" if name in {"path", "label", "problem"} else name
