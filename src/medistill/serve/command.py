"""The command ``predict``: bundle and inputs in, a table out. Torch-free."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from medistill.bundle.bundle import open_bundle
from medistill.core.errors import MedistillError
from medistill.core.types import Plane
from medistill.serve.inputs import find_inputs
from medistill.serve.journal import Journal
from medistill.serve.mask_files import MaskFolder, MaskForm
from medistill.serve.output import (
    Form,
    check_writable,
    form_of,
    named_refusals,
    prediction_writer,
)
from medistill.serve.prediction import Prediction
from medistill.serve.predictor import BATCH_SIZE, Predictor

_ALL_FAILED = 2


@dataclass(frozen=True)
class Job:
    """What is to be predicted and where it goes.

    Attributes:
        inputs: images and folders of images.
        out: the file; None for standard output.
        batch_size: images that run together.
        form: what to write.
        masks: given every prediction; None where no masks are wanted.
        plane: along which plane volumes are cut.
        window: gray scale that was asked for; None for the bundle's or the files' own.
    """

    inputs: Sequence[Path]
    out: Path | None
    batch_size: int
    form: Form
    masks: MaskFolder | None
    plane: Plane
    window: str | None

    def finished(self, predicted: Iterable[Prediction]) -> Iterator[Prediction]:
        """The predictions, in order, once their masks are written."""
        if self.masks is None:
            yield from predicted
            return
        for found in predicted:
            yield from self.masks.take(found)
        yield from self.masks.finish()


@dataclass
class Tally:
    """What became of the inputs.

    Attributes:
        done: images that were predicted.
        failed: inputs that have a problem.
        first: the first of these.
    """

    done: int = 0
    failed: int = 0
    first: Prediction | None = None

    def count(self, found: Prediction) -> None:
        """Count one input."""
        if found.problem is None:
            self.done += 1
        else:
            self.failed += 1
            self.first = self.first or found


class Counter:
    """Shows how far a prediction is, where somebody watches."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self, more: int) -> None:
        """Count images and show the sum on one line of the terminal."""
        self.done += more
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{_count(self.done, 'image')} ")
            sys.stderr.flush()


def predict_command(
    bundle: Path,
    inputs: Sequence[Path],
    out: Path | None = None,
    *,
    batch_size: int = BATCH_SIZE,
    threads: int | None = None,
    graph: str | None = None,
    form: Form | None = None,
    masks: Path | None = None,
    mask_form: MaskForm = "png",
    plane: Plane = "axial",
    window: str | None = None,
) -> int:
    """Predict files and folders and say in one line, on standard error, how it went.

    Args:
        bundle: folder or zip.
        inputs: images and folders of images.
        out: ``.csv``, ``.jsonl`` or ``.parquet``; None writes CSV to standard output. The same
            command again goes on where a kill stopped it.
        batch_size: images that run together.
        threads: for inference; None for all cores.
        graph: name of the graph; None for the bundle's default.
        form: what to write; None to go by the ending of ``out``.
        masks: folder for the masks of a segmenting student; None writes none.
        mask_form: ``png``, ``nifti`` (one label map a volume) or ``seg`` (DICOM SEG).
        plane: along which plane volumes are cut.
        window: gray scale of CT for a bundle that names none; None for what each file declares.

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
    predictor = Predictor(open_bundle(bundle), threads=threads, graph=graph, window=window)
    folder = None if masks is None else MaskFolder(masks, mask_form, predictor.bundle)
    job = Job(inputs, out, batch_size, form, folder, plane, window)
    try:
        tally = _predict(job, predictor)
    except BrokenPipeError:
        # The reader (for example head) has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    sys.stderr.write(_summary(tally, time.monotonic() - started, out) + "\n")
    return 0 if tally.done else _ALL_FAILED


def _predict(job: Job, predictor: Predictor) -> Tally:
    with named_refusals(job.out or "standard output", "--out"):
        if job.out is None:
            return _straight(job, predictor)
        return _journalled(job, predictor, job.out)


def _straight(job: Job, predictor: Predictor) -> Tally:
    """To standard output, as it comes."""
    tally = Tally()
    with prediction_writer(None, predictor.classes, job.form) as write:
        predicted = predictor.predict_files(job.inputs, job.batch_size, plane=job.plane)
        for found in job.finished(predicted):
            write(found)
            tally.count(found)
    return tally


def _journalled(job: Job, predictor: Predictor, out: Path) -> Tally:
    """To a journal first, and from there to the file in one piece."""
    check_writable(out)
    journal, tally = Journal(out, _made_by(job, predictor)), Tally()
    if journal.done:
        sys.stderr.write(f"{_count(len(journal.done), 'image')} kept from a stopped run\n")
    finished, progress = False, Counter()
    try:
        found_inputs = find_inputs(job.inputs, job.plane)
        left = (journal.begun(item) for item in found_inputs if item.name not in journal.done)
        finished_ones = job.finished(predictor.predict_inputs(left, job.batch_size))
        while batch := list(islice(finished_ones, job.batch_size)):
            for found in batch:
                journal.add(found)
            journal.save()
            progress(len(batch))
        with prediction_writer(out, predictor.classes, job.form) as write:
            for found in journal.read():
                write(found)
                tally.count(found)
        finished = True
    finally:
        journal.close(finished=finished)
    return tally


def _made_by(job: Job, predictor: Predictor) -> dict[str, object]:
    """What the table depends on; a relative path is another one in another working folder."""
    return {
        "bundle": predictor.bundle.identity,
        "graph": predictor.graph.name,
        "inputs": [[str(path), str(path.resolve())] for path in job.inputs],
        "plane": job.plane,
        "masks": None if job.masks is None else job.masks.place,
        "window": job.window,
    }


def _summary(tally: Tally, seconds: float, out: Path | None) -> str:
    done, failed, first = tally.done, tally.failed, tally.first
    problems = f", {_count(failed, 'input')} could not be read" if failed else ""
    if first is not None:
        problems += f" ({'first ' if failed > 1 else ''}{first.path}: {first.problem})"
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
