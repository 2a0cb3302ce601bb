"""Layout ``dicom``: a tree of DICOM files beside one table of labels, by file, study or patient."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from medistill.core.counting import counted
from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Sample
from medistill.data.dicom_groups import attributes_of, groups_of, identities, study_of
from medistill.data.dicom_objects import left_out, without_picture
from medistill.data.dicom_rows import Said, can_join, joined
from medistill.data.folder import NO_PATIENTS
from medistill.data.listing import files_below, found_below
from medistill.data.perceptual import Progress
from medistill.data.table_file import Table, is_table, load_table
from medistill.data.table_frames import framed
from medistill.data.table_images import PATH, lists_images
from medistill.data.table_labels import label_caveats
from medistill.imaging.identity import Identity
from medistill.imaging.sniff import is_dicom_file

_TRIED, _NAMED = 50, 3
_NO_ROW = (Said(),)
#: What a table's groups may cut, by the first word of the files' own groups.
_CUT = {
    "patient": "patient id|ids of the files lies|lie",
    "study": "study|studies of files without a patient id lies|lie",
}


def is_dicom_tree(path: Path) -> bool:
    """Whether a folder holds a table and DICOM files at any depth, or a table lies beside these.

    One table is enough, several are only if one of them has labels that can be joined to files. A
    table by itself must not list its images, which ``data.table`` reads.
    """
    if path.is_dir():
        tables = _tables(path)
        found = len(tables) == 1 or any(map(_can_join, tables))
    else:
        found = is_table(path) and _can_join(path) and not _lists(path)
    below = files_below(_folder(path)) if found else ()
    return any(map(is_dicom_file, islice(below, _TRIED)))


def read_dicom_tree(
    path: Path, *, least_classes: int = 2, workers: int = 0, progress: Progress | None = None
) -> ImageSet:
    """Read a tree of DICOM files.

    The table has labels and a column ``split`` as ``data.table``, and one of ``path``, ``file``
    (name without folders, with or without its ending; also ``image``, ``filename`` and the like),
    ``study`` (or ``StudyInstanceUID``) and ``patient`` (or ``PatientID``, without its issuer); the
    first of these joins it to the files. A value may repeat with the same label; with other frames
    in a column ``frame`` (from 0), each of them is an image. The group is what a further column
    ``patient`` or ``group`` says, else the patient of the file, else its study. Every other column
    becomes an attribute. Files of several frames of which no row names one are refused when they
    are decoded. Files that hold no picture, as reports do, are left out and counted.

    Args:
        path: the folder; or the table, where several lie in it.
        least_classes: how many classes the table must name, unless it is multi-label.
        workers: processes that read what the files say of themselves.
        progress: called with (done, total) as many of them are read.

    Raises:
        DataError: no table or several, or as of ``dicom_rows.joined``.
    """
    table = _only_table(path) if path.is_dir() else load_table(path)
    root = _folder(path)
    paths = {p.relative_to(root).as_posix(): p for p in found_below(root, is_dicom_file)}
    known = identities(paths, workers=workers, progress=progress)
    found = joined(table, root, paths, known, least_classes=least_classes)
    other = without_picture(paths, paths)
    pictures = {name: path for name, path in paths.items() if name not in other}
    groups, cut = _groups(known, pictures, found.said)
    absent = sum(name not in found.said for name in pictures)
    words = counted(absent, "file|files has|have no row in the table, and no label")
    missing = (f"{words}.",) if absent else ()
    patients = all(name in known and known[name].patient for name in pictures)
    word = found.group_word or ("patient" if patients else "patient or study")
    return ImageSet(
        name="dicom",
        root=path,
        task="multi-label" if found.labels.several else "single-label",
        classes=found.labels.classes,
        samples=_samples(pictures, known, found.said, groups),
        group_word=word,
        caveats=(
            *(() if word == "patient" else (NO_PATIENTS,)),
            *cut,
            *missing,
            *label_caveats(found.labels),
            *left_out(other),
        ),
    )


def _samples(
    paths: Mapping[str, Path],
    known: Mapping[str, Identity],
    said: Mapping[str, Sequence[Said]],
    groups: Mapping[str, str],
) -> tuple[Sample, ...]:
    rows = [(name, row) for name in paths for row in said.get(name, _NO_ROW)]
    return tuple(
        Sample(
            path=paths[name],
            name=framed(name, row.frame),
            label=row.label,
            group=groups[name],
            split=row.split,
            attributes={**attributes_of(known.get(name)), **row.attributes},
            frame=row.frame,
            study=study_of(known.get(name)),
        )
        for name, row in sorted(rows, key=lambda each: framed(each[0], each[1].frame))
    )


def _groups(
    known: Mapping[str, Identity], names: Collection[str], said: Mapping[str, Sequence[Said]]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The table's groups where it names them, else those of the files; and where the two differ.

    A file without a row goes to the group that the table gives others of its patient.
    """
    of_files = groups_of(known, {name: name for name in names})
    homes: dict[str, set[str]] = {}
    for name in names:
        group = said.get(name, _NO_ROW)[0].group
        if group is not None:
            homes.setdefault(of_files[name], set()).add(group)
    found = {}
    for name in names:
        group = said.get(name, _NO_ROW)[0].group
        found[name] = group or min(homes.get(of_files[name], ()), default=of_files[name])
    cut = sorted(own for own, held in homes.items() if len(held) > 1)
    return found, tuple(_cut_caveats(cut))


def _cut_caveats(cut: Sequence[str]) -> Iterator[str]:
    """Sentences on patients and on studies of the files that the table's groups cut."""
    for kind, words in _CUT.items():
        found = [own.removeprefix(f"{kind} ") for own in cut if own.startswith(f"{kind} ")]
        if found:
            yield (
                f"{counted(len(found), words)} in several groups of the table, for example "
                f"'{found[0]}': the table is believed."
            )


def _only_table(root: Path) -> Table:
    tables = _tables(root)
    if not tables:
        cure = "Put one table with labels beside the DICOM files."
        raise DataError(where=root, what="holds no table (CSV)", cure=cure)
    if len(tables) > 1:
        more = f" and {len(tables) - _NAMED} more" if len(tables) > _NAMED else ""
        fit = next(filter(_can_join, tables), tables[0])
        raise DataError(
            where=root,
            what=f"holds {len(tables)} tables (CSV), of which one is read: "
            f"{', '.join(path.name for path in tables[:_NAMED])}{more}",
            cure=f"Give the one with the labels, such as {fit}, instead of the folder; or, if its "
            "folders are classes, their layout: --layout folder with check and evaluate, "
            "data.layout=folder in a run.",
        )
    return load_table(tables[0])


def _tables(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if is_table(path))


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _can_join(path: Path) -> bool:
    try:
        return can_join(load_table(path))
    except DataError:
        return False


def _lists(path: Path) -> bool:
    return PATH in load_table(path).columns or lists_images(path)
