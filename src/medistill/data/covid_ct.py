"""Layout ``covid-ct``: COVID-CT as its authors publish it (Yang et al., arXiv 2003.13865).

``CT_COVID/`` and ``CT_NonCOVID/`` hold the slices, and
``Data-split/{COVID,NonCOVID}/{train,val,test}CT_{COVID,NonCOVID}.txt`` name the official split.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Sample
from medistill.data.duplicates import near_duplicate_groups
from medistill.data.listing import images_below
from medistill.data.perceptual import Progress

#: Folder of each class, in the order of the label indices.
CLASS_FOLDERS: Mapping[str, str] = MappingProxyType(
    {"non-COVID": "CT_NonCOVID", "COVID": "CT_COVID"}
)
SOURCE_LEAKS = (
    "Slices were cut from papers: file format, size and source differ between the classes, and a "
    "model may have learnt that."
)
_ARTICLE_GROUP = "article "
_SPLITS = ("train", "val", "test")
# `-p12` is the page of the PDF, `%3` the image on it; older names count figures instead.
_ARTICLE = re.compile(r"(.+?)(?:-p\d+.*|%\d+.*|[-.]f(?:ig)?\d+.*|-g\d+.*)?")


def is_covid_ct(root: Path) -> bool:
    """Whether a folder has the published layout."""
    wanted = (*CLASS_FOLDERS.values(), "Data-split")
    return all((root / name).is_dir() for name in wanted)


def read_covid_ct(
    root: Path,
    *,
    cache: Path | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> ImageSet:
    """Read COVID-CT with its official split.

    The group of a COVID slice is its article, that of another slice its cluster of near-duplicates.
    Slices that no list names have no split.

    Args:
        root: the folder.
        cache: folder that remembers perceptual hashes, or None.
        workers: processes that hash; 0 hashes here.
        progress: called with (done, total) as files are hashed.

    Raises:
        DataError: the layout is not there, or a list names an image that is not there.
    """
    _check_layout(root)
    paths = {p.relative_to(root).as_posix(): p for p in _all_images(root)}
    split = _official_split(root, set(paths))
    others = {name: path for name, path in paths.items() if name.startswith("CT_NonCOVID/")}
    group = near_duplicate_groups(others, cache=cache, workers=workers, progress=progress)
    samples = tuple(
        Sample(
            path=paths[name],
            name=name,
            label=int(name not in others),
            group=group.get(name) or _ARTICLE_GROUP + article_of(paths[name].stem),
            split=split.get(name),
            guessed=name in others,
        )
        for name in sorted(paths)
    )
    return ImageSet(
        name="covid-ct",
        root=root,
        task="single-label",
        classes=tuple(CLASS_FOLDERS),
        samples=samples,
        group_word="article or near-duplicate cluster",
        caveats=(SOURCE_LEAKS, *_shared(samples)),
    )


def article_of(stem: str) -> str:
    """Article in a COVID file name: the text before ``-pN``, for example a preprint's number."""
    match = _ARTICLE.fullmatch(stem)
    return match.group(1) if match else stem


def _check_layout(root: Path) -> None:
    if not is_covid_ct(root):
        names = ", ".join((*CLASS_FOLDERS.values(), "Data-split"))
        raise DataError(
            where=root,
            what=f"does not hold the folders {names}",
            cure="Give the folder of COVID-CT as its authors publish it.",
        )


def _all_images(root: Path) -> list[Path]:
    found = {name: images_below(root / folder) for name, folder in CLASS_FOLDERS.items()}
    for name, paths in found.items():
        if not paths:
            raise DataError(
                where=root / CLASS_FOLDERS[name],
                what="holds no image",
                cure="Unpack the archive of images into this folder.",
            )
    return [path for paths in found.values() for path in paths]


def _official_split(root: Path, names: set[str]) -> dict[str, str]:
    """Split of every listed image, by its name below the root."""
    found: dict[str, str] = {}
    for folder in CLASS_FOLDERS.values():
        word = folder.removeprefix("CT_")
        for split in _SPLITS:
            list_file = root / "Data-split" / word / f"{split}{folder}.txt"
            listed = [f"{folder}/{line}" for line in _lines(list_file)]
            _check_listed(list_file, listed, names, found)
            found |= dict.fromkeys(listed, split)
    return found


def _lines(list_file: Path) -> list[str]:
    if not list_file.is_file():
        return []
    text = list_file.read_text(encoding="utf-8-sig")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _check_listed(
    list_file: Path, listed: list[str], names: set[str], before: Mapping[str, str]
) -> None:
    missing = [name for name in listed if name not in names]
    twice = [name for name in listed if name in before]
    if missing or twice:
        fault = "are not there" if missing else "are in another list too"
        wrong = missing or twice
        raise DataError(
            where=list_file,
            what=f"{len(wrong)} of its images {fault}, for example {wrong[0]}",
            cure="Use the images and the lists of one release.",
        )


def _shared(samples: tuple[Sample, ...]) -> tuple[str, ...]:
    """A sentence on the groups that the official split cuts, if there are any."""
    splits: dict[str, set[str]] = {}
    for sample in samples:
        if sample.split is not None:
            splits.setdefault(sample.group, set()).add(sample.split)
    cut = sorted(group for group, found in splits.items() if len(found) > 1)
    if not cut:
        return ()
    articles = [group.removeprefix(_ARTICLE_GROUP) for group in cut if _is_article(group)]
    named = f" ({', '.join(articles)})" if articles else ""
    return (
        f"The official parts share {_count(len(articles), 'article')}{named} and "
        f"{_count(len(cut) - len(articles), 'cluster')} of near-duplicates: where the "
        "official split is used, their slices are left out of training.",
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _is_article(group: str) -> bool:
    return group.startswith(_ARTICLE_GROUP)
