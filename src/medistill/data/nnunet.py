"""What a folder of nnU-Net says beside its images and masks: class names, and images to predict.

nnU-Net (Isensee et al., Nature Methods 2021) names the labels in ``dataset.json``: by number in its
first version ("1": "liver"), by name in its second ("liver": 1). Torch-free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from medistill.core.counting import agreeing, counted
from medistill.core.errors import DataError
from medistill.core.files import read_json
from medistill.data.listing import found_below, subfolders
from medistill.data.mask_classes import MaskClasses
from medistill.data.paired_folders import FolderPair
from medistill.imaging.masks import UNKNOWN

_FILE, _LABELS, _IGNORE = "dataset.json", "labels", "ignore"
_UNLABELLED = "imagests"
# Masks of two classes may hold it for the second.
_WHITE = 255
# The file lists every image of the set besides.
_MOST_BYTES = 2**26
_CURE = f"Mend '{_LABELS}' in it, or move the file away: then the classes are numbered."


def named_classes(found: MaskClasses, root: Path) -> MaskClasses:
    """Classes by the names that ``dataset.json`` gives them, and unchanged without that file.

    Index 0 stays ``background``. Regions, which may overlap, are no classes of pixels: a caveat
    names them, and the classes stay numbered.

    Args:
        found: what the masks hold.
        root: the folder in which the file may lie.

    Raises:
        DataError: the file is damaged, gives a number or a name twice, or does not name a value
            that the masks hold, or calls it ``ignore``.
    """
    path = root / _FILE
    labels = _labels(path) if path.is_file() else None
    if labels is None:
        return found
    regions = [name for name, value in labels.items() if isinstance(value, list)]
    if regions:
        return found._replace(caveats=(*found.caveats, _regions(regions)))
    names = _by_number(labels, path)
    used = _used(found, names, path)
    spare = [name for number, name in names.items() if number and name not in used]
    caveats = (_unshown(spare),) if spare else ()
    return found._replace(names=("background", *used), caveats=(*found.caveats, *caveats))


def unlabelled_test(
    root: Path, pairs: Iterable[FolderPair], wanted: Callable[[Path], bool], words: str
) -> tuple[str, ...]:
    """A sentence on files of ``imagesTs`` that are left out for want of masks, if there are any.

    Args:
        root: the folder.
        pairs: the folders that are read.
        wanted: whether a file is an image.
        words: what images and masks are called, as of ``counting.counted``.

    Raises:
        DataError: a folder cannot be listed.
    """
    read = {pair.images for pair in pairs}
    for folder in subfolders(root):
        if folder.name.lower() == _UNLABELLED and folder not in read:
            count = len(found_below(folder, wanted))
            return (f"{counted(count, words)} ('{folder.name}').",) if count else ()
    return ()


def _labels(path: Path) -> Mapping[str, Any] | None:
    """The entry of the labels, or None in a file without any, which is not nnU-Net's."""
    if path.stat().st_size > _MOST_BYTES:
        raise DataError(where=path, what=f"has more than {_MOST_BYTES >> 20} MB", cure=_CURE)
    try:
        held: Any = read_json(path)
    except (ValueError, RecursionError) as error:
        raise DataError(where=path, what=f"is not JSON ({error})", cure=_CURE) from error
    except OSError as error:
        what, cure = f"cannot be read ({error.strerror})", "Check its rights, or move it away."
        raise DataError(where=path, what=what, cure=cure) from error
    if not isinstance(held, dict):
        raise DataError(where=path, what="is not a JSON object", cure=_CURE)
    labels = held.get(_LABELS)
    if labels is not None and not isinstance(labels, dict):
        what = f"'{_LABELS}' is not an object of names and numbers"
        raise DataError(where=path, what=what, cure=_CURE)
    return labels


def _by_number(labels: Mapping[str, Any], path: Path) -> dict[int, str]:
    """Names by the number of the label."""
    names: dict[int, str] = {}
    for key, value in labels.items():
        number, name = _entry(key, value)
        if number is None or not name:
            what = f"'{_LABELS}' holds '{key}': {value!r:.60}, which is no name and number"
            raise DataError(where=path, what=what, cure=_CURE)
        if number in names or name in names.values():
            what = f"'{_LABELS}' gives the label {number} ('{name}') twice"
            raise DataError(where=path, what=what, cure=_CURE)
        names[number] = name
    return dict(sorted(names.items()))


def _entry(key: str, value: Any) -> tuple[int | None, str]:
    """Number and name of one label, whichever of the two is the key."""
    if isinstance(value, str) and _is_number(key):
        return int(key), value.strip()
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value, key.strip()
    if isinstance(value, str) and _is_number(value):
        return int(value), key.strip()
    return None, ""


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 6


def _used(found: MaskClasses, names: Mapping[int, str], path: Path) -> list[str]:
    """The names of the classes in order, without the background's."""
    held = {value for values in found.values for value in values} - {0}
    if len(found.names) > 2:
        held -= {UNKNOWN}
    elif _WHITE not in names and len({*names} - {0}) == 1:
        held = {1 if value == _WHITE else value for value in held}
    for value in sorted(held):
        _refuse_unnamed(value, names, path)
    return [names[value] for value in sorted(held)]


def _refuse_unnamed(value: int, names: Mapping[int, str], path: Path) -> None:
    if value not in names:
        what = f"'{_LABELS}' does not name {value}, which the masks hold"
        raise DataError(where=path, what=what, cure=_CURE)
    if names[value].casefold() == _IGNORE:
        raise DataError(
            where=path,
            what=f"the masks hold {value}, which '{_LABELS}' says to ignore",
            cure=f"Write {UNKNOWN} into those pixels if there are two classes or more beside the "
            "background, else 0 or 1.",
        )


def _regions(names: list[str]) -> str:
    listed = ", ".join(f"'{name}'" for name in names)
    words = "names the region|regions"
    return (
        f"{_FILE} {agreeing(len(names), words)} {listed}, and no name for each value of the masks: "
        "the classes are numbered."
    )


def _unshown(names: list[str]) -> str:
    listed = ", ".join(f"'{name}'" for name in names)
    words = "class|classes that no mask shows and that is|are left out"
    return f"{_FILE} names {counted(len(names), words)}: {listed}."
