"""Findings as check.json and as check.html, with a picture sheet of each suspicious group."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from medistill.check.finding import SHOWN_GROUPS, SHOWN_NAMES, Finding
from medistill.check.subject import Subject
from medistill.core.errors import DataError
from medistill.core.files import write_json, write_text
from medistill.core.types import Sample
from medistill.imaging.reader import read_image
from medistill.report.pictures import Picture

JSON, HTML = "check.json", "check.html"


def write_sheets(
    subject: Subject, findings: Sequence[Finding], folder: Path, *, window: str | None = None
) -> None:
    """Write check.json and check.html into a folder, which is made.

    Args:
        subject: what was checked.
        findings: what was found.
        folder: where to write.
        window: gray scale of CT for the pictures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / JSON, _document(subject, findings))
    environment = Environment(
        loader=PackageLoader("medistill.check"), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template(HTML).render(
        images=subject.images,
        count=len(subject.images.samples),
        findings=[(f, _pictures(subject, f, window)) for f in findings],
    )
    write_text(folder / HTML, page)


def _document(subject: Subject, findings: Sequence[Finding]) -> dict[str, Any]:
    images = subject.images
    return {
        "layout": images.name,
        "task": images.task,
        "classes": list(images.classes),
        "images": len(images.samples),
        "group_word": images.group_word,
        "caveats": list(images.caveats),
        "findings": [finding.to_json() for finding in findings],
    }


def _pictures(subject: Subject, finding: Finding, window: str | None) -> list[list[Picture]]:
    samples = {sample.name: sample for sample in subject.images.samples}
    return [
        [_picture(subject, samples[name], window) for name in group[:SHOWN_NAMES]]
        for group in finding.groups[:SHOWN_GROUPS]
    ]


def _picture(subject: Subject, sample: Sample, window: str | None) -> Picture:
    import numpy as np

    words = [*subject.label_words(sample), subject.parts.get(sample.name, "")]
    caption = ", ".join(word for word in words if word) or "no label"
    try:
        seen = read_image(sample.path, window=window, frame=sample.frame, plane=sample.plane)
    except DataError as error:
        blank = np.full((32, 32), 128, dtype=np.uint8)
        return Picture(pixels=blank, caption=error.what, detail=sample.name)
    return Picture(pixels=seen.pixels, caption=caption, detail=sample.name)
