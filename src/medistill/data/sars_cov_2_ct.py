"""Layout ``sars-cov-2-ct``: SARS-CoV-2-CT as its authors publish it.

Soares et al., medRxiv 2020.04.24.20078584: ``COVID/Covid (N).png`` and
``non-COVID/Non-Covid (N).png``, without patient ids or a split.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Sample
from medistill.data.duplicates import near_duplicate_groups
from medistill.data.listing import images_below
from medistill.data.perceptual import Progress

#: Folder and start of the file names of each class, in the order of the label indices.
CLASS_FOLDERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"non-COVID": ("non-COVID", "Non-Covid ("), "COVID": ("COVID", "Covid (")}
)
NO_PATIENTS = (
    "Patient leakage cannot be excluded: the data come without patient ids, several slices are of "
    "one patient, and groups are only clusters of near-duplicates."
)


def is_sars_cov_2_ct(root: Path) -> bool:
    """Whether a folder has the published layout."""
    return all(
        any((root / folder).glob(f"{start}*.png")) for folder, start in CLASS_FOLDERS.values()
    )


def read_sars_cov_2_ct(
    root: Path,
    *,
    cache: Path | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> ImageSet:
    """Read SARS-CoV-2-CT; the group is the cluster of near-duplicates over both classes.

    Args:
        root: the folder.
        cache: folder that remembers perceptual hashes, or None.
        workers: processes that hash; 0 hashes here.
        progress: called with (done, total) as files are hashed.

    Raises:
        DataError: the layout is not there.
    """
    if not is_sars_cov_2_ct(root):
        raise DataError(
            where=root,
            what="does not hold COVID/Covid (N).png and non-COVID/Non-Covid (N).png",
            cure="Give the folder of SARS-CoV-2-CT as its authors publish it.",
        )
    label = {folder: index for index, (folder, _) in enumerate(CLASS_FOLDERS.values())}
    found = [path for folder in label for path in images_below(root / folder)]
    paths = {path.relative_to(root).as_posix(): path for path in found}
    group = near_duplicate_groups(paths, cache=cache, workers=workers, progress=progress)
    samples = tuple(
        Sample(
            path=paths[name],
            name=name,
            label=label[name.split("/")[0]],
            group=group[name],
            guessed=True,
        )
        for name in sorted(paths)
    )
    return ImageSet(
        name="sars-cov-2-ct",
        root=root,
        task="single-label",
        classes=tuple(CLASS_FOLDERS),
        samples=samples,
        group_word="near-duplicate cluster",
        caveats=(NO_PATIENTS,),
    )
