"""What a split keeps in balance: classes, and the groups that they lie in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from medistill.core.counting import plural
from medistill.core.errors import DataError
from medistill.core.types import ImageSet, PartName

_OTHER = -1


def labelled_rows(images: ImageSet) -> tuple[int, ...]:
    """Rows that may enter a part: those with a label (with a mask, for segmentation).

    Raises:
        DataError: no image is labelled, or all have the same class.
    """
    rows = tuple(row for row in range(len(images.samples)) if _is_labelled(images, row))
    if not rows:
        raise DataError(
            where=images.root, what="no image has a label", cure="Give labels to some images."
        )
    if images.task == "single-label" and len({images.samples[row].label for row in rows}) < 2:
        raise DataError(
            where=images.root,
            what="all images have the same class",
            cure="Give images of at least two classes.",
        )
    return rows


def strata(images: ImageSet, rows: Sequence[int], folds: int) -> list[int]:
    """A number for each row, such that rows of one number are to be spread evenly over folds.

    Single-label: the class. Else the rarest class that the image is labelled with, -1 where there
    is none or where that class lies in fewer than ``folds`` groups.
    """
    if images.task == "single-label":
        return [_class_of(images, row) for row in rows]
    found = _rarest_positive(images, rows)
    common = _groups_of(images, rows, found)
    return [key if len(common[key]) >= folds else _OTHER for key in found]


def smallest_spread(images: ImageSet, rows: Sequence[int]) -> tuple[int, str]:
    """Number of groups of the class that lies in the fewest, and that class as words.

    Multi-label and segmentation sets are judged as a whole, since rare classes may be absent from
    a part there.
    """
    if images.task != "single-label":
        return len({images.samples[row].group for row in rows}), "the set"
    keys = [_class_of(images, row) for row in rows]
    sizes = {key: len(groups) for key, groups in _groups_of(images, rows, keys).items()}
    missing = {key: 0 for key in range(len(images.classes)) if key not in sizes}
    key, size = min((sizes | missing).items(), key=lambda item: (item[1], item[0]))
    return size, f"class '{images.classes[key]}'"


def check_classes(images: ImageSet, parts: Mapping[PartName, Sequence[int]]) -> None:
    """Refuse parts that lack a class.

    Single-label: every part needs every class. Otherwise every part needs an image.

    Raises:
        DataError: names the part and the class.
    """
    for part, rows in parts.items():
        absent = "any image" if not rows else _absent_class(images, rows)
        if absent is not None:
            raise DataError(
                where=images.root,
                what=f"part '{part}' has not {absent} ({plural('image', len(rows))})",
                cure="Add images of other groups, use fewer folds, or choose another seed.",
            )


def _absent_class(images: ImageSet, rows: Sequence[int]) -> str | None:
    if images.task != "single-label":
        return None
    present = {images.samples[row].label for row in rows}
    absent = [name for label, name in enumerate(images.classes) if label not in present]
    return f"an image of class '{absent[0]}'" if absent else None


def _is_labelled(images: ImageSet, row: int) -> bool:
    sample = images.samples[row]
    return sample.mask is not None if images.task == "segmentation" else sample.label is not None


def _class_of(images: ImageSet, row: int) -> int:
    label = images.samples[row].label
    if not isinstance(label, int):
        raise TypeError(f"row {row} has no class index: {label!r}")
    return label


def _rarest_positive(images: ImageSet, rows: Sequence[int]) -> list[int]:
    positives = [_positives(images.samples[row].label) for row in rows]
    counts = Counter(key for keys in positives for key in keys)
    return [min(keys, key=lambda k: (counts[k], k), default=_OTHER) for keys in positives]


def _positives(label: object) -> list[int]:
    return [k for k, value in enumerate(label) if value == 1] if isinstance(label, tuple) else []


def _groups_of(images: ImageSet, rows: Sequence[int], keys: Iterable[int]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for row, key in zip(rows, keys, strict=True):
        found.setdefault(key, set()).add(images.samples[row].group)
    return found
