"""The command ``predict``: bundle and inputs in, a table out. Torch-free."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from medistill.bundle.bundle import open_bundle
from medistill.core.errors import MedistillError
from medistill.serve.output import Form, form_of, prediction_writer
from medistill.serve.predictor import BATCH_SIZE, Predictor

_ALL_FAILED = 2


def predict_command(
    bundle: Path,
    inputs: Sequence[Path],
    out: Path | None = None,
    *,
    batch_size: int = BATCH_SIZE,
    threads: int | None = None,
    graph: str | None = None,
    form: Form | None = None,
) -> int:
    """Predict files and folders and say in one line, on standard error, how it went.

    Args:
        bundle: folder or zip.
        inputs: images and folders of images.
        out: ``.csv`` or ``.jsonl``; None writes CSV to standard output.
        batch_size: images that run together.
        threads: for inference; None for all cores.
        graph: name of the graph; None for the bundle's default.
        form: what to write; None to go by the ending of ``out``.

    Returns:
        Exit code: 0 if anything was predicted, 2 if every input failed.

    Raises:
        MedistillError: the bundle, an option or the output cannot be used.
    """
    _check_counts(batch_size=batch_size, threads=threads)
    form = form or form_of(out)
    # A console that cannot show a file name gets escapes instead of an error.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    started = time.monotonic()
    predictor = Predictor(open_bundle(bundle), threads=threads, graph=graph)
    try:
        done, failed = _predict(predictor, inputs, out, batch_size, form)
    except BrokenPipeError:
        # The reader (for example head) has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    sys.stderr.write(_summary(done, failed, time.monotonic() - started, out) + "\n")
    return 0 if done else _ALL_FAILED


def _predict(
    predictor: Predictor, inputs: Iterable[Path], out: Path | None, batch_size: int, form: Form
) -> tuple[int, int]:
    """Images predicted and inputs that failed."""
    done = failed = 0
    try:
        with prediction_writer(out, predictor.classes, form) as write:
            for found in predictor.predict_files(inputs, batch_size):
                write(found)
                done, failed = done + (not found.problem), failed + bool(found.problem)
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        cure = "Free space or choose another place with --out."
        raise MedistillError(
            where=out or "standard output", what=f"cannot be written ({reason})", cure=cure
        ) from error
    return done, failed


def _summary(done: int, failed: int, seconds: float, out: Path | None) -> str:
    problems = f", {_count(failed, 'input')} could not be read" if failed else ""
    target = f" -> {out}" if out else ""
    rate = f" ({done / seconds:.1f} a second)" if done else ""
    return f"{_count(done, 'image')} predicted in {seconds:.2f} s{rate}{problems}{target}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _check_counts(**counts: int | None) -> None:
    for name, value in counts.items():
        if value is not None and value < 1:
            raise MedistillError(
                where=f"--{name.replace('_', '-')}",
                what=f"{value} is impossible",
                cure="Give a whole number above 0.",
            )
