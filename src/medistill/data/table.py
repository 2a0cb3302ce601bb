"""Layout ``table``: a CSV file that lists images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Plane, Sample
from medistill.data.dicom_groups import attributes_of, study_of
from medistill.data.perceptual import Progress
from medistill.data.table_file import Table, load_table, missing_column
from medistill.data.table_frames import plane_of
from medistill.data.table_images import (
    PATH,
    Listed,
    listed_images,
    own_columns,
    path_column,
    with_paths,
)
from medistill.data.table_labels import (
    Labels,
    attributes_of_rows,
    label_caveats,
    labels_of,
)
from medistill.data.table_masks import names_masks, read_mask_table


def read_table(
    path: Path,
    *,
    least_classes: int = 2,
    plane: Plane = "axial",
    workers: int = 0,
    progress: Progress | None = None,
) -> ImageSet:
    """Read a CSV file with the columns below, in any order and any case.

    ``path`` (also ``image``, ``file``, ``filename`` and the like): image, relative to the file's
    folder; or ``ImageDir`` and ``ImageID``, as in PadChest. ``frame`` (optional): which frame of a
    DICOM file, or slice of a volume along ``plane``, from 0; each is an image. ``label``: one
    class; or ``labels``: classes joined by ``|`` or ``;`` or in lists as ``['a', 'b']`` (also in
    ``label``) or by commas, ``none`` or ``[]`` for no finding. The class ``unlabelled`` means no
    label. Without both, ``mask``: as ``data.table_masks``; else every column of 1, 0, -1
    (uncertain) and blank (unknown) is a class, as in CheXpert: what is uncertain or unknown is
    masked. ``patient`` (also ``patient_id``, ``PatientID``) or ``group`` (optional): what must not
    be cut by a split; without them a folder ``patient00001`` in every path is the patient, else
    what a DICOM file says of itself. ``split`` (optional): train, val or test. Every other column
    becomes an attribute of the sample.

    Args:
        path: the CSV file (comma, semicolon or tab; UTF-8).
        least_classes: how many classes it must name, unless it is multi-label.
        plane: along which plane volumes are cut.
        workers: processes that read masks and what DICOM files say of themselves.
        progress: called with (done, total) as many such files are read.

    Raises:
        DataError: no such file, not a table, a column missing or doubled, an empty cell where a
            value is needed, an unknown split, an image listed twice, a frame that is not there,
            too few classes, or masks as in ``data.table_masks``.
    """
    table = with_paths(load_table(path))
    if path_column(table) is None:
        missing_column(table, PATH)
    if names_masks(table):
        return read_mask_table(table, plane=plane, workers=workers, progress=progress)
    labels = _labels(table, least_classes)
    listed = listed_images(table, plane=plane, workers=workers, progress=progress)
    return ImageSet(
        name="table",
        root=path,
        task="multi-label" if labels.several else "single-label",
        classes=labels.classes,
        samples=_samples(table, listed, labels, plane),
        group_word=listed.group_word,
        caveats=(*listed.caveats, *label_caveats(labels)),
    )


def _labels(table: Table, least_classes: int) -> Labels:
    labels = labels_of(table, own_columns(table), least_classes=least_classes)
    if labels is None:
        _refuse_blank(table, [name for name in table.columns if name not in own_columns(table)])
        missing_column(table, "label")
    return labels


def _refuse_blank(table: Table, columns: Sequence[str]) -> None:
    """Columns without a single entry may be meant as labels, all of which are missing."""
    blank = [name for name in columns if not any(row[name] for row in table.rows)]
    if blank:
        raise DataError(
            where=table.path,
            what=f"column '{blank[0]}' is blank in every row, and there is no other label",
            cure="Fill in the labels that are known: 1, 0, or blank where unknown.",
        )


def _samples(table: Table, listed: Listed, labels: Labels, plane: Plane) -> tuple[Sample, ...]:
    attributes = attributes_of_rows(table, own_columns(table), labels)
    rows = zip(
        attributes,
        listed.files.items(),
        listed.frames,
        labels.values,
        listed.groups,
        listed.splits,
        listed.named,
        strict=True,
    )
    found = [
        Sample(
            path=file,
            name=name,
            label=label,
            group=group,
            split=split,
            attributes={**attributes_of(listed.known.get(name)), **held},
            frame=frame,
            plane=plane_of(file, frame, plane),
            guessed=not named and split is None,
            study=study_of(listed.known.get(name)),
        )
        for held, (name, file), frame, label, group, split, named in rows
    ]
    return tuple(sorted(found, key=lambda sample: sample.name))
