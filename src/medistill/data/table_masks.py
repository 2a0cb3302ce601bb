"""Masks beside the images of a table: its column ``mask``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Plane, Sample
from medistill.data.dicom_groups import attributes_of, study_of
from medistill.data.mask_classes import mask_classes
from medistill.data.mask_sizes import check_sizes
from medistill.data.nifti_pairs import is_volume, refuse_other_grid, slices_of
from medistill.data.paired_folders import FilePair
from medistill.data.perceptual import Progress
from medistill.data.shown_classes import Shown, shown_classes, shown_in_slices
from medistill.data.table_file import LABELS, Table, filled
from medistill.data.table_images import Listed, listed_images, own_columns, slashed
from medistill.data.table_labels import is_entry

MASK = "mask"


def names_masks(table: Table) -> bool:
    """Whether a table has a column of mask files, and none of labels.

    A column ``mask`` of 1, 0 and blanks is a class, and one of other words an attribute: whether a
    mask is worn.
    """
    if MASK not in table.columns or any(name in table.columns for name in LABELS):
        return False
    return any(_is_file(table.path.parent, row[MASK]) for row in table.rows)


def _is_file(folder: Path, cell: str) -> bool:
    """Whether a cell has an ending, or is a file without one."""
    if is_entry(cell):
        return False
    return bool(PureWindowsPath(cell).suffix) or (folder / cell).is_file()


def read_mask_table(
    table: Table,
    *,
    plane: Plane = "axial",
    workers: int = 0,
    progress: Progress | None = None,
) -> ImageSet:
    """Read images and masks of a table: columns ``path`` and ``mask``, relative to its folder.

    Further columns as in ``data.table``; every other one becomes an attribute. The masks' values
    say the classes, as in ``mask_folders``. Of volumes beside label maps every slice along
    ``plane`` is a sample, and no ``frame`` can be named. Without a column ``patient`` or ``group``
    a volume is a group.

    Args:
        table: with a column ``mask``.
        plane: along which plane volumes are cut.
        workers: processes that read the masks and what DICOM files say of themselves.
        progress: called with (done, total) as many such files are read.

    Raises:
        DataError: as ``data.table``; masks of another shape than their images, or as in
            ``mask_classes``; a frame of a volume.
    """
    listed = listed_images(table, workers=workers, progress=progress)
    pairs = _pairs(table, listed)
    flat = [(each.image, each.mask) for each in pairs if not is_volume(each.image)]
    sizes = check_sizes(flat, workers=workers)
    masks = [each.mask for each in pairs]
    found = mask_classes(masks, where=table.path, workers=workers)
    classes = len(found.names)
    maps = [each.mask for each in pairs if is_volume(each.image)]
    cut = iter(shown_in_slices(maps, plane=plane, classes=classes, workers=workers))
    shown = [
        next(cut) if is_volume(each.image) else [shown_classes(values, classes)]
        for each, values in zip(pairs, found.values, strict=True)
    ]
    return ImageSet(
        name="table",
        root=table.path,
        task="segmentation",
        classes=found.names,
        samples=tuple(_samples(table, listed, pairs, shown, plane)),
        group_word=listed.group_word,
        caveats=(*listed.caveats, *sizes, *found.caveats),
    )


def _pairs(table: Table, listed: Listed) -> list[FilePair]:
    cells = filled(table, MASK)
    rows = zip(listed.files.items(), cells, listed.splits, strict=True)
    pairs = [
        FilePair(name, path, listed.root / slashed(listed.root, cell), split)
        for (name, path), cell, split in rows
    ]
    _refuse_slices(table, listed)
    for each in pairs:
        _refuse_other_kind(each)
        if is_volume(each.image):
            refuse_other_grid(each)
    return pairs


def _refuse_slices(table: Table, listed: Listed) -> None:
    for row, (path, frame) in enumerate(zip(listed.files.values(), listed.frames, strict=True)):
        if frame is not None and is_volume(path):
            raise DataError(
                where=table.path,
                what=f"row {row + 1} names slice {frame} of {path.name}, a volume with a label map",
                cure="Leave the cell empty, and give the volume one row: every slice is an image.",
            )


def _refuse_other_kind(pair: FilePair) -> None:
    if is_volume(pair.image) != is_volume(pair.mask):
        one, other = ("a volume", "none") if is_volume(pair.mask) else ("no volume", "one")
        raise DataError(
            where=pair.mask,
            what=f"this mask is {one}, and its image {pair.image.name} is {other}",
            cure="Give pictures masks that are pictures, and volumes label maps.",
        )


def _samples(
    table: Table, listed: Listed, pairs: list[FilePair], shown: list[list[Shown]], plane: Plane
) -> Iterator[Sample]:
    taken = {*own_columns(table), MASK}
    rows = zip(table.rows, pairs, listed.frames, listed.groups, listed.named, shown, strict=True)
    for row, pair, frame, group, named, labels in sorted(rows, key=lambda each: each[1].stem):
        identity = listed.known.get(pair.stem)
        further = {k: v for k, v in row.items() if k not in taken}
        attributes = {**attributes_of(identity), **further}
        if is_volume(pair.image):
            yield from slices_of(
                pair, labels, plane, name=pair.stem, group=group, attributes=attributes
            )
        else:
            yield Sample(
                path=pair.image,
                name=pair.stem,
                label=labels[0],
                group=group,
                split=pair.split,
                mask=pair.mask,
                attributes=attributes,
                frame=frame,
                guessed=not named and pair.split is None,
                study=study_of(identity),
            )
