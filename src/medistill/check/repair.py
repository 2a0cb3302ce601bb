"""Parts that repair what was found: no group and no copy lies in two of them."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path

from medistill.check.copies import united
from medistill.check.subject import Subject
from medistill.core.errors import DataError
from medistill.core.files import write_text
from medistill.core.types import ImageSet
from medistill.data.parts import holdout_parts

_SPLIT = {"fit": "train", "select": "val", "calibrate": "train", "evaluate": "test"}


def proposed(subject: Subject, *, seed: int = 0) -> dict[str, tuple[str, str]]:
    """Group and part (train, val, test) of each labelled image that can be read.

    Groups are the set's own, joined with exact and near copies.

    Raises:
        DataError: too few groups of a class for four parts.
    """
    group = united(subject)
    kept = tuple(
        dataclasses.replace(sample, group=group[sample.name], split=None)
        for sample in subject.readable
    )
    images: ImageSet = dataclasses.replace(subject.images, samples=kept)
    parts = holdout_parts(images, seed=seed)
    return {
        kept[row].name: (kept[row].group, _SPLIT[part])
        for part, rows in parts.named().items()
        for row in rows
    }


def write_proposal(subject: Subject, path: Path) -> str | None:
    """Write a table ``path, group, split`` (and ``label`` where there is one), or say why not."""
    try:
        found = proposed(subject)
    except DataError as error:
        return error.what
    samples = {sample.name: sample for sample in subject.images.samples}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "label", "group", "split"])
    for name in sorted(found):
        label = "|".join(subject.label_words(samples[name])) or "none"
        writer.writerow([samples[name].path.resolve(), label, *found[name]])
    write_text(path, text.getvalue())
    return None
