"""Parts that repair what was found: no group and no copy lies in two of them."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from medistill.check.copies import united
from medistill.check.subject import Subject
from medistill.core.errors import DataError
from medistill.core.files import write_text
from medistill.core.types import ImageSet, Sample
from medistill.data.label_cells import NO_FINDING, SEPARATORS, split_cells
from medistill.data.list_cells import is_list
from medistill.data.nifti_pairs import is_volume
from medistill.data.parts import holdout_parts
from medistill.data.table_frames import FRAME
from medistill.data.table_images import OWN_COLUMNS
from medistill.data.table_labels import read_class_columns
from medistill.data.table_masks import MASK

Columns = Mapping[str, Sequence[str]]
_ENTRIES = {1.0: "1", 0.0: "0"}
_SPLIT = {"fit": "train", "select": "val", "calibrate": "train", "evaluate": "test"}


def proposed(subject: Subject, *, seed: int = 0) -> dict[str, tuple[str, str]]:
    """Group and part (train, val, test) of each labelled image that can be read.

    Groups are the set's own, joined with exact and near copies.

    Raises:
        DataError: no image can be read, or too few groups of a class for four parts.
    """
    group = united(subject)
    kept = tuple(
        dataclasses.replace(sample, group=group[sample.name], split=None)
        for sample in subject.readable
    )
    if not kept:
        cure = "Mend what the check says of them."
        raise DataError(where=subject.images.root, what="no image can be read", cure=cure)
    images: ImageSet = dataclasses.replace(subject.images, samples=kept)
    parts = holdout_parts(images, seed=seed)
    return {
        kept[row].name: (kept[row].group, _SPLIT[part])
        for part, rows in parts.named().items()
        for row in rows
    }


def write_proposal(subject: Subject, path: Path) -> str | None:
    """Write a table that ``data.table`` reads as the same labels, or say why there is none.

    Columns: ``path``; ``frame`` where files hold several; the labels; ``patient`` or ``group``;
    ``split``; every attribute. Labels of a single-label set are one column ``label``. Several
    labels an image are one column a class of 1, 0 or, where unknown, nothing; a class that no image
    has is left out, as no such column is one. Where the names of these columns would not come back,
    and nothing is unknown, they are one column ``labels``. Of segmentation the masks are the column
    ``mask``, and a volume is one row without a frame.
    """
    try:
        found = proposed(subject)
        _refuse_joining(subject.images, path)
    except DataError as error:
        return error.what
    samples = _one_a_row(subject, found)
    attributes = _attributes(subject, samples)
    labels = _labels(subject, samples, attributes)
    if subject.images.task == "multi-label" and "labels" not in labels:
        attributes = {name: cells for name, cells in attributes.items() if not _is_class(cells)}
    group = "patient" if subject.images.group_word == "patient" else "group"
    columns = {
        "path": [_place(sample.path) for sample in samples],
        **_frames(samples),
        **labels,
        group: [found[sample.name][0] for sample in samples],
        "split": [found[sample.name][1] for sample in samples],
        **attributes,
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_text(path, text.getvalue())
    return None


def _refuse_joining(images: ImageSet, where: Path) -> None:
    """One class an image must come back as one."""
    if images.task == "single-label" and split_cells(images.classes, where=where, column="label"):
        name = next(filter(_joins, images.classes))
        what = f"in a table the class '{name}' would be several"
        raise DataError(where=where, what=what, cure="Rename it.")


def _one_a_row(subject: Subject, found: Collection[str]) -> list[Sample]:
    """Samples in a part, by name; of a volume with a label map the first slice stands for all."""
    samples = sorted((s for s in subject.readable if s.name in found), key=lambda s: s.name)
    first = {(_place(s.path), _frame(s)): s for s in reversed(samples)}
    return [sample for sample in samples if first[_place(sample.path), _frame(sample)] is sample]


def _frame(sample: Sample) -> int | None:
    """The frame that a row must name; a volume with a label map is cut into all its slices."""
    whole = sample.mask is not None and is_volume(sample.path)
    return None if whole else sample.frame


def _frames(samples: Sequence[Sample]) -> Columns:
    """The column ``frame``, where any row must name one."""
    frames = [_frame(sample) for sample in samples]
    if all(frame is None for frame in frames):
        return {}
    return {FRAME: ["" if frame is None else str(frame) for frame in frames]}


def _place(path: Path) -> str:
    """A file under its own name, which says what it is; a link may lead to one of any name."""
    folder = os.path.join(os.getcwd(), os.path.dirname(path))  # noqa: PTH109, PTH118, PTH120
    return os.path.join(_resolved(folder), path.name)  # noqa: PTH118


# A folder is resolved name by name: too long for each of its files.
@functools.lru_cache(maxsize=4096)
def _resolved(folder: str) -> str:
    return str(Path(folder).resolve())


def _labels(subject: Subject, samples: Sequence[Sample], attributes: Columns) -> Columns:
    """The column or columns that hold the labels, as they come back from a table."""
    if subject.images.task == "segmentation":
        return {MASK: [_place(sample.mask) for sample in samples if sample.mask]}
    words = [subject.label_words(sample) for sample in samples]
    if subject.images.task == "single-label":
        return {"label": [held[0] for held in words]}
    columns = {
        name: [_ENTRIES.get(value, "") for value in values.tolist()]
        for name, values in subject.class_truth(samples).items()
    }
    # Headings of tables are read in small letters, and columns of 1 and 0 as classes.
    kept = all(name == name.lower() for name in columns) and not any(
        map(_is_class, attributes.values())
    )
    if kept or not _are_words(columns):
        return {name: cells for name, cells in columns.items() if _is_class(cells)}
    return {"labels": ["|".join(held) or "none" for held in words]}


def _are_words(columns: Columns) -> bool:
    """Whether one cell an image can say it all: nothing is unknown, and no name means nothing."""
    known = all(all(cells) for cells in columns.values())
    return known and not any(_joins(name) or name.lower() in NO_FINDING for name in columns)


def _joins(name: str) -> bool:
    """Whether a table would take the name of a class for several."""
    return is_list(name) or any(mark in name for mark in SEPARATORS)


def _is_class(cells: Sequence[str]) -> bool:
    return read_class_columns({"": cells}) is not None


def _attributes(subject: Subject, samples: Sequence[Sample]) -> Columns:
    """Every further column, under names that mean nothing else to a table."""
    taken = OWN_COLUMNS.union((MASK,), (name.lower() for name in subject.images.classes))
    names = dict.fromkeys(name for sample in samples for name in sample.attributes)
    free = {name.lower(): name for name in names if name.lower() not in taken}
    return {name: [s.attributes.get(name, "") for s in samples] for name in free.values()}
