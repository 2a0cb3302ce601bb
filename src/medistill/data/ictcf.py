"""Layout ``ictcf``: iCTCF, slices of chest CT in three classes (Ning et al. 2020).

Folders ``NiCT`` (not informative), ``pCT`` (signs of COVID-19) and ``nCT`` (none), as published in
Nature Biomedical Engineering 4:1197; patients are folders or stand in the file names.
"""

from __future__ import annotations

import re
from pathlib import Path

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Sample
from medistill.data.duplicates import near_duplicate_groups
from medistill.data.folder import NO_PATIENTS
from medistill.data.listing import images_below
from medistill.data.perceptual import Progress

CLASS_FOLDERS = ("NiCT", "nCT", "pCT")
_PATIENT = re.compile(r"patient[ _-]*(\d+)", re.IGNORECASE)


def is_ictcf(root: Path) -> bool:
    """Whether a folder holds the three class folders."""
    return all((root / name).is_dir() for name in CLASS_FOLDERS)


def read_ictcf(
    root: Path,
    *,
    cache: Path | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> ImageSet:
    """Read iCTCF; the group is the patient that a path names, else the near-duplicate cluster.

    Args:
        root: the folder.
        cache: folder that remembers perceptual hashes, or None.
        workers: processes that hash; 0 hashes here.
        progress: called with (done, total) as files are hashed.

    Raises:
        DataError: the layout is not there, or a class has no image.
    """
    if not is_ictcf(root):
        folders = ", ".join(CLASS_FOLDERS)
        cure = "Give the folder of iCTCF as its authors publish it."
        raise DataError(where=root, what=f"does not hold the folders {folders}", cure=cure)
    paths = _images(root)
    patient = {name: match[1] for name in paths if (match := _PATIENT.search(name))}
    known = len(patient) == len(paths)
    group = (
        {}
        if known
        else near_duplicate_groups(paths, cache=cache, workers=workers, progress=progress)
    )
    return ImageSet(
        name="ictcf",
        root=root,
        task="single-label",
        classes=CLASS_FOLDERS,
        samples=tuple(
            Sample(
                path=paths[name],
                name=name,
                label=CLASS_FOLDERS.index(name.split("/")[0]),
                group=f"patient {patient[name]}" if known else group[name],
                guessed=not known,
            )
            for name in sorted(paths)
        ),
        group_word="patient" if known else "near-duplicate cluster",
        caveats=() if known else (NO_PATIENTS,),
    )


def _images(root: Path) -> dict[str, Path]:
    """Every image of every class by its name."""
    found = {name: images_below(root / name) for name in CLASS_FOLDERS}
    for name, held in found.items():
        if not held:
            raise DataError(where=root / name, what="holds no image", cure="Unpack the archive.")
    return {path.relative_to(root).as_posix(): path for held in found.values() for path in held}
