"""Writes predictions as CSV, JSON lines or Parquet, to a file or standard output. Torch-free."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Literal

from medistill.core.errors import MedistillError, MissingExtraError, UnknownNameError
from medistill.core.files import atomic_file
from medistill.serve.deciding import SEPARATOR
from medistill.serve.prediction import Prediction

Form = Literal["csv", "jsonl", "parquet"]
Write = Callable[[Prediction], None]
_FORMS: dict[str, Form] = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}
_COLUMNS = ("path", "label", "conformal", "trusted", "reasons", "mask", "problem")
_ROWS = 4096


def form_of(out: Path | None) -> Form:
    """CSV, JSON lines or Parquet, by the ending of the file; CSV for standard output.

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

    Columns of CSV and Parquet: ``path``, ``label``, one probability a class under the class's
    name, ``conformal`` (the classes that cannot be ruled out, joined by ``; ``), ``trusted``,
    ``reasons``, ``mask`` (name of the file that holds it), ``problem``; a class that is called
    like one of these gets ``probability of`` before it. What was not fitted is empty. A JSON line
    holds the same, the probabilities as an object by class, sets and reasons as lists. Numbers
    have all their digits in every form. Text is UTF-8; bytes of a
    file name that are not are written as escapes.

    Args:
        out: the file, which appears when the block ends without error; None for standard output.
        classes: names in the order of the probabilities.
        form: what to write; None to go by the ending.

    Raises:
        UnknownNameError: any other ending.
        MissingExtraError: Parquet without the extra ``parquet``.
        MedistillError: the file cannot be written.
    """
    form = form or form_of(out)
    if out is not None:
        check_writable(out)
    if form == "parquet":
        with _parquet_writer(out, classes) as write:
            yield write
        return
    make = {"csv": _csv_writer, "jsonl": _json_writer}[form]
    if out is None:
        yield make(sys.stdout, classes)
        sys.stdout.flush()
        return
    with atomic_file(out) as stream:
        text = io.TextIOWrapper(stream, "utf-8", errors="backslashreplace", newline="")
        yield make(text, classes)
        text.flush()
        text.detach()


@contextmanager
def named_refusals(place: object, option: str) -> Iterator[None]:
    """What an operating system refuses while a result is written becomes one sentence.

    Args:
        place: file or folder of the result.
        option: which option of the command names it.

    Raises:
        MedistillError: the disk is full, or the place cannot be written or made.
        BrokenPipeError: a reader that has seen enough is no fault.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except (FileExistsError, NotADirectoryError) as error:
        cure = f"Choose another folder with {option}."
        raise MedistillError(where=place, what="a file is in the way", cure=cure) from error
    except OSError as error:
        reason = error.strerror or str(error)
        cure = f"Free space or choose another place with {option}."
        raise MedistillError(
            where=place, what=f"cannot be written ({reason})", cure=cure
        ) from error


def check_writable(out: Path) -> None:
    """Refuse a place where no file can be written, before the work.

    Raises:
        MedistillError: it is a folder, or its folder is missing.
    """
    if out.is_dir():
        raise MedistillError(where=out, what="is a folder", cure="Name a file with --out.")
    if not out.parent.is_dir():
        what, cure = f"the folder '{out.parent}' does not exist", "Create it first."
        if out.parent.exists():
            what, cure = f"'{out.parent}' is a file, no folder", "Choose another place with --out."
        raise MedistillError(where=out, what=what, cure=cure)


def _csv_writer(stream: IO[str], classes: Sequence[str]) -> Write:
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow([*_names(classes)])

    def write(found: Prediction) -> None:
        cells = _cells(found, len(classes))
        rows.writerow(["" if cell is None else _text(cell) for cell in cells])

    return write


def _json_writer(stream: IO[str], classes: Sequence[str]) -> Write:
    def write(found: Prediction) -> None:
        values = found.probabilities
        line = {
            "path": found.path,
            "label": found.label,
            "probabilities": values and dict(zip(classes, values, strict=True)),
            "conformal": found.conformal,
            "trusted": found.trusted,
            "reasons": found.reasons,
            "mask": found.mask_file,
            "problem": found.problem,
        }
        stream.write(json.dumps(line, ensure_ascii=False) + "\n")

    return write


@contextmanager
def _parquet_writer(out: Path | None, classes: Sequence[str]) -> Iterator[Write]:
    """Rows are gathered into groups, so that memory does not grow with their number."""
    if out is None:
        cure = "Name a file with --out."
        raise MedistillError(where="standard output", what="takes no Parquet", cure=cure)
    if find_spec("pyarrow") is None:
        raise MissingExtraError(command="medistill predict --out NAME.parquet", extra="parquet")
    import pyarrow
    from pyarrow import parquet

    names, text = _names(classes), pyarrow.string()
    numbers = [pyarrow.float64()] * len(classes)
    kinds = [text, text, *numbers, text, pyarrow.bool_(), text, text, text]
    schema = pyarrow.schema(list(zip(names, kinds, strict=True)))
    rows: list[list[object]] = []
    with atomic_file(out) as stream, parquet.ParquetWriter(stream, schema) as table:

        def flush() -> None:
            columns = zip(*rows, strict=True) if rows else [[] for _ in names]
            arrays = [pyarrow.array(c, k) for c, k in zip(columns, kinds, strict=True)]
            table.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
            rows.clear()

        def write(found: Prediction) -> None:
            rows.append([_clean(cell) for cell in _cells(found, len(classes))])
            if len(rows) >= _ROWS:
                flush()

        yield write
        flush()


def _names(classes: Sequence[str]) -> list[str]:
    return ["path", "label", *(_column(name) for name in classes), *_COLUMNS[2:]]


def _cells(found: Prediction, classes: int) -> list[object]:
    """One row; None where there is nothing."""
    values = found.probabilities or (None,) * classes
    conformal = None if found.conformal is None else SEPARATOR.join(found.conformal)
    reasons = " ".join(found.reasons) or None
    said = (conformal, found.trusted, reasons, found.mask_file, found.problem)
    return [found.path, found.label, *values, *said]


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return repr(cell) if isinstance(cell, float) else str(cell)


def _clean(cell: object) -> object:
    """Text without the half characters that stand for bytes of a name that is no text."""
    if isinstance(cell, str):
        return cell.encode("utf-8", "backslashreplace").decode()
    return cell


def _column(name: str) -> str:
    return f"probability of {name}" if name in _COLUMNS else name
