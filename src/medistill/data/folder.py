"""Layout ``folder``: one subfolder for each class, alone or below train, val and test."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from medistill.core.counting import counted
from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Sample
from medistill.data.dicom_groups import attributes_of, groups_of_files, identities, study_of
from medistill.data.dicom_objects import left_out, without_picture
from medistill.data.listing import archives_below, images_below, images_in, subfolders
from medistill.data.paired_folders import refuse_mask_folders
from medistill.data.perceptual import Progress
from medistill.data.split_folders import split_folders
from medistill.imaging.identity import Identity

#: Name, file, class word and split of an image.
Found = tuple[str, Path, str, str | None]
#: From so many folders of one patient each on they are taken for patients.
_PATIENTS = 4
#: Folders that are called after a patient each.
_NUMBERED = re.compile(r"(?:patient|person|subject|case|pat|pt)[ _-]*\d+", re.IGNORECASE)
#: Class names that mean "no label": such images may serve distillation, and enter no part.
UNLABELLED = frozenset({"unlabelled", "unlabeled"})
_TABLE = (
    " Of a tree of DICOM files: put one CSV file with the columns patient and label beside them."
)
NO_PATIENTS = (
    "No patient ids are known: images of one patient may lie in several parts, so that figures "
    "may be too high."
)


def read_folder(
    root: Path, *, least_classes: int = 2, workers: int = 0, progress: Progress | None = None
) -> ImageSet:
    """Read class subfolders, or train/val/test subfolders that hold them.

    Images lie in a class folder at any depth. Each image is its own group, except that files with
    the same bytes share one, and that DICOM files are grouped by patient, else by study; those
    without a picture are left out and counted. A class folder named ``unlabelled`` gives images
    without a label.

    Args:
        root: the folder.
        least_classes: how many classes it must have.
        workers: processes that read what DICOM files say of themselves.
        progress: called with (done, total) as many files are looked into.

    Raises:
        DataError: the folder is missing, has fewer classes, a class without an image, images
            outside of any class folder, or folders of masks or of one patient each.
    """
    found = sorted(_found(root), key=lambda item: item[0])
    paths = {name: path for name, path, _, _ in found}
    known = identities(paths, workers=workers, progress=progress)
    other = without_picture(paths, known)
    seen = [item for item in found if item[0] not in other]
    lost = {word for _, _, word, _ in found} - {word for _, _, word, _ in seen}
    if lost:
        raise _no_image(root / min(lost))
    found = seen
    _refuse_patients(root, found, known)
    words = {word for _, _, word, _ in found}
    classes = _classes(root, words, least_classes, labels=_TABLE if known else "")
    paths = {name: path for name, path, _, _ in found}
    grouped = groups_of_files(paths, {name: known[name] for name in paths if name in known})
    samples = tuple(
        Sample(
            path=path,
            name=name,
            label=classes.get(word),
            group=grouped.groups[name],
            split=split,
            attributes=attributes_of(known.get(name)),
            guessed=split is None and name not in known,
            study=study_of(known.get(name)),
        )
        for name, path, word, split in found
    )
    return ImageSet(
        name="folder",
        root=root,
        task="single-label",
        classes=tuple(classes),
        samples=samples,
        group_word=grouped.word,
        caveats=(*(() if grouped.word == "patient" else (NO_PATIENTS,)), *left_out(other)),
    )


def _found(root: Path) -> Iterator[Found]:
    """Name, file, class word and split of every image."""
    splits: Mapping[Path, str | None] = split_folders(root) or {root: None}
    for place, split in splits.items():
        _refuse_loose(place)
        class_folders = subfolders(place)
        refuse_mask_folders(place, class_folders)
        for class_folder in class_folders:
            refuse_mask_folders(class_folder, subfolders(class_folder))
            paths = images_below(class_folder)
            if not paths:
                raise _no_image(class_folder)
            for path in paths:
                yield path.relative_to(root).as_posix(), path, class_folder.name, split


def _classes(root: Path, words: set[str], least: int, *, labels: str) -> dict[str, int]:
    names = sorted(word for word in words if word.lower() not in UNLABELLED)
    if len(names) < least:
        have = f"only the class '{names[0]}'" if names else "no class"
        raise DataError(
            where=root,
            what=f"holds {have}",
            cure="Give one subfolder of images for each "
            f"{'of at least two classes' if least > 1 else 'class'}.{labels}",
        )
    return {name: index for index, name in enumerate(names)}


def _refuse_loose(folder: Path) -> None:
    loose = [path.name for path in images_in(folder)]
    if loose:
        raise DataError(
            where=folder,
            what=f"{counted(len(loose), 'image|images lies|lie outside of any class folder')}, "
            f"for example {loose[0]}",
            cure="Move them into a subfolder named after their class, or away.",
        )


def _refuse_patients(root: Path, found: Sequence[Found], known: Mapping[str, Identity]) -> None:
    """Folders of one patient each are patients: as classes they would teach who is shown."""
    held: dict[str, set[str]] = {}
    for name, _, word, _ in found:
        held.setdefault(word, set()).add(known[name].patient if name in known else "")
    if len(held) < _PATIENTS:
        return
    alone = {next(iter(ids)) for ids in held.values() if len(ids) == 1} - {""}
    if len(alone) == len(held):
        raise DataError(
            where=root,
            what=f"each of {len(held)} folders holds the DICOM files of one patient, so that they "
            "are patients and no classes",
            cure="Put one CSV file with the columns patient and label beside them.",
        )
    if not known and all(map(_NUMBERED.fullmatch, held)):
        raise DataError(
            where=root,
            what=f"its {len(held)} folders are named after patients, for example '{min(held)}', "
            "and no classes",
            cure="Give a CSV file with the columns path, label and patient; or, if they are "
            "classes, rename them.",
        )


def _no_image(folder: Path) -> DataError:
    packed = archives_below(folder)
    return DataError(
        where=folder,
        what="this class folder holds no PNG, JPEG, TIFF, BMP, DICOM or NIfTI image",
        cure=f"Unpack {packed[0].name}." if packed else "Add images or remove the folder.",
    )
