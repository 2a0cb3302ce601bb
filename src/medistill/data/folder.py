"""Layout ``folder``: one subfolder for each class, alone or below train, val and test."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Sample
from medistill.data.dicom_groups import attributes_of, groups_of, identities, study_of
from medistill.data.duplicates import identical_files
from medistill.imaging.reader import is_image_name

#: Folder names that mean a split, lower case.
SPLIT_FOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "train": "train",
        "training": "train",
        "val": "val",
        "valid": "val",
        "validation": "val",
        "test": "test",
        "testing": "test",
    }
)
#: Class names that mean "no label": such images may serve distillation, and enter no part.
UNLABELLED = frozenset({"unlabelled", "unlabeled"})
NO_PATIENTS = (
    "No patient ids are known: images of one patient may lie in several parts, so that figures "
    "may be too high."
)


def read_folder(root: Path) -> ImageSet:
    """Read class subfolders, or train/val/test subfolders that hold them.

    Images lie in a class folder at any depth. Each image is its own group, except that files with
    the same bytes share one, and that DICOM files are grouped by patient, else by study. A class
    folder named ``unlabelled`` gives images without a label.

    Args:
        root: the folder.

    Raises:
        DataError: the folder is missing, has fewer than two classes, a class without an image, or
            images outside of any class folder.
    """
    found = sorted(_found(root), key=lambda item: item[0])
    classes = _classes(root, {class_name for _, _, class_name, _ in found})
    paths = {name: path for name, path, _, _ in found}
    known = identities(paths)
    patients = all(name in known and known[name].patient for name in paths)
    group = groups_of(known, identical_files(paths))
    samples = tuple(
        Sample(
            path=path,
            name=name,
            label=classes.get(word),
            group=group[name],
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
        group_word="patient" if patients else "patient or study" if known else "image",
        caveats=() if patients else (NO_PATIENTS,),
    )


def subfolders(root: Path) -> list[Path]:
    """Subfolders of a folder, sorted by name, without hidden ones and ``__...``.

    Raises:
        DataError: there is no such folder, or it is a file.
    """
    if not root.is_dir():
        raise DataError(
            where=root,
            what="is a file, a folder is expected" if root.exists() else "there is no such folder",
            cure="Check the path.",
        )
    names = (path for path in root.iterdir() if not path.name.startswith((".", "__")))
    return sorted(path for path in names if path.is_dir())


def split_folders(root: Path) -> dict[Path, str]:
    """Subfolders that mean a split, if there is one for train and no other subfolder; else none."""
    found = {path: SPLIT_FOLDERS.get(path.name.lower(), "") for path in subfolders(root)}
    return found if "train" in found.values() and all(found.values()) else {}


def images_below(folder: Path) -> list[Path]:
    """Image files at any depth, sorted, without hidden ones."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        found += [Path(place, name) for name in files if is_image(name)]
    return sorted(found)


def is_image(name: str) -> bool:
    """Whether a file name has an image's ending and is not hidden."""
    return is_image_name(name)


def _found(root: Path) -> Iterator[tuple[str, Path, str, str | None]]:
    """Name, file, class word and split of every image."""
    splits: Mapping[Path, str | None] = split_folders(root) or {root: None}
    for place, split in splits.items():
        _refuse_loose(place)
        for class_folder in subfolders(place):
            paths = images_below(class_folder)
            if not paths:
                raise _no_image(class_folder)
            for path in paths:
                yield path.relative_to(root).as_posix(), path, class_folder.name, split


def _classes(root: Path, words: set[str]) -> dict[str, int]:
    names = sorted(word for word in words if word.lower() not in UNLABELLED)
    if len(names) < 2:
        have = f"only the class '{names[0]}'" if names else "no class"
        raise DataError(
            where=root,
            what=f"holds {have}",
            cure="Give one subfolder of images for each of at least two classes.",
        )
    return {name: index for index, name in enumerate(names)}


def _refuse_loose(folder: Path) -> None:
    loose = sorted(path.name for path in folder.iterdir() if is_image(path.name))
    if loose:
        raise DataError(
            where=folder,
            what=f"{len(loose)} images lie outside of any class folder, for example {loose[0]}",
            cure="Move them into a subfolder named after their class, or away.",
        )


def _no_image(folder: Path) -> DataError:
    return DataError(
        where=folder,
        what="this class folder holds no PNG, JPEG, TIFF, BMP, DICOM or NIfTI image",
        cure="Add images or remove the folder.",
    )
