"""What the export gate found, beside the bundle: figures, a page, and every variant's answers."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from medistill.core.files import read_json, write_json, write_text
from medistill.core.runtime import hardware_summary
from medistill.evaluate.predictions import PROBABILITY_PREFIX
from medistill.export.candidates import Tried
from medistill.report.gate_page import show_in_report, write_gate_page
from medistill.report.html import REPORT
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.evaluation import EVALUATION

GATE, FOUND, PAGE = "gate", "gate.json", "report.html"
BATCHED = "batched_"


def record_gate(
    context: Context, prepared: Prepared, rows: Sequence[int], tried: Sequence[Tried], student: str
) -> None:
    """Write ``gate/`` of the run: gate.json, report.html, and ``<variant>.csv`` for labels.

    The tables hold names of images, which is why they are no part of the bundle. A variant predicts
    as its own table says: ``p_<class>`` an image alone, ``batched_p_<class>`` one among others.

    Args:
        context: the run.
        prepared: the data.
        rows: of the store, on which variants were judged.
        tried: what was found of each.
        student: SHA-256 of the student's weights.
    """
    with context.run.writing(GATE, _inputs(rows, student)) as stage:
        document = gate_document(tried, images=len(rows))
        write_json(stage.folder / FOUND, document)
        write_gate_page(stage.folder / PAGE, document)
        stage.needed.extend([FOUND, PAGE])
        if prepared.images.task != "segmentation":
            for each in tried:
                _write_answers(stage.folder, prepared, rows, each)


def is_judged(context: Context, rows: Sequence[int], student: str) -> bool:
    """Whether ``gate/`` is of this student on these rows, or the recipe asks for no variants."""
    wanted = context.recipe.export.variants
    return not wanted or context.run.is_current(GATE, _inputs(rows, student))


def _inputs(rows: Sequence[int], student: str) -> dict[str, Any]:
    return {"student": student, "rows": list(rows)}


def show_variants(context: Context) -> None:
    """Say in the report of the evaluation, where there is one, what the gate let through."""
    report, folder = context.run.stage(EVALUATION) / REPORT, context.run.stage(GATE)
    if report.is_file() and (folder / FOUND).is_file():
        show_in_report(report, folder / PAGE, read_json(folder / FOUND))


def gate_document(tried: Sequence[Tried], *, images: int) -> dict[str, Any]:
    """The content of gate.json.

    Returns:
        ``hardware``; ``images`` of *calibrate*; ``variants``: for each its ``name``, whether it is
        ``published``, the ``refusal``, and ``parity`` and ``trial`` as in bundle.json and
        ``batch_difference`` (of any probability, between images in batches and one by one), or
        None where it could not be made.
    """
    return {
        "hardware": hardware_summary(),
        "images": images,
        "variants": [
            {
                "name": each.name,
                "published": each.refusal is None,
                "refusal": each.refusal,
                "parity": asdict(each.verdict.parity) if each.verdict else None,
                "trial": asdict(each.verdict.trial) if each.verdict else None,
                "batch_difference": each.verdict.batch_difference if each.verdict else None,
            }
            for each in tried
        ],
    }


def _write_answers(folder: Path, prepared: Prepared, rows: Sequence[int], tried: Tried) -> None:
    if tried.verdict is None:
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = [PROBABILITY_PREFIX + name for name in prepared.images.classes]
    writer.writerow(["path", *heads, *(BATCHED + head for head in heads)])
    both = np.concatenate([tried.verdict.alone, tried.verdict.batched], axis=1)
    for row, chances in zip(rows, both, strict=True):
        writer.writerow([prepared.images.samples[row].name, *(repr(float(p)) for p in chances)])
    write_text(folder / f"{tried.name}.csv", text.getvalue())
