"""Layout ``covid-radiography``: the COVID-19 Radiography Database (Chowdhury et al. 2020).

One folder a class (``COVID``, ``Normal``, ``Lung_Opacity``, ``Viral Pneumonia``), in newer releases
with ``images`` and ``masks`` in each: masks are lungs and no label.
"""

from __future__ import annotations

from pathlib import Path

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Sample
from medistill.data.duplicates import near_duplicate_groups
from medistill.data.folder import NO_PATIENTS
from medistill.data.listing import images_below
from medistill.data.perceptual import Progress

CLASS_FOLDERS = ("Normal", "COVID", "Lung_Opacity", "Viral Pneumonia")
_NEEDED = ("Normal", "COVID", "Viral Pneumonia")
MIXED_SOURCES = (
    "Classes come from different hospitals, countries and ages: a model may have learnt the source."
)


def is_covid_radiography(root: Path) -> bool:
    """Whether a folder has the published layout."""
    return all((root / name).is_dir() for name in _NEEDED)


def read_covid_radiography(
    root: Path,
    *,
    cache: Path | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> ImageSet:
    """Read the database; the group is the cluster of near-duplicates, since no patient is named.

    Args:
        root: the folder.
        cache: folder that remembers perceptual hashes, or None.
        workers: processes that hash; 0 hashes here.
        progress: called with (done, total) as files are hashed.

    Raises:
        DataError: the layout is not there, or a class has no image.
    """
    if not is_covid_radiography(root):
        raise DataError(
            where=root,
            what=f"does not hold the folders {', '.join(_NEEDED)}",
            cure="Give the folder COVID-19_Radiography_Dataset as published.",
        )
    classes = tuple(name for name in CLASS_FOLDERS if (root / name).is_dir())
    label: dict[str, int] = {}
    paths: dict[str, Path] = {}
    for number, name in enumerate(classes):
        found = images_below(
            root / name / "images" if (root / name / "images").is_dir() else root / name
        )
        if not found:
            raise DataError(where=root / name, what="holds no image", cure="Unpack the archive.")
        paths |= {path.relative_to(root).as_posix(): path for path in found}
        label |= {path.relative_to(root).as_posix(): number for path in found}
    group = near_duplicate_groups(paths, cache=cache, workers=workers, progress=progress)
    return ImageSet(
        name="covid-radiography",
        root=root,
        task="single-label",
        classes=classes,
        samples=tuple(
            Sample(path=paths[name], name=name, label=label[name], group=group[name], guessed=True)
            for name in sorted(paths)
        ),
        group_word="near-duplicate cluster",
        caveats=(MIXED_SOURCES, NO_PATIENTS),
    )
