"""Layout ``deit-covid``: the table of "Data-Efficient Training of Pure Vision Transformers".

``covid_labels.csv`` with the columns ``Image Index, Normal, Pneumonia, COVID, fold`` (EMBC 2022,
DOI 10.1109/EMBC48229.2022.9871372) beside the images, which their own sources publish.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Sample
from medistill.data.listing import images_below
from medistill.data.table_file import Table, agreed, filled, is_table, load_table, not_here

CLASSES = ("Normal", "Pneumonia", "COVID")
SOURCES = (
    "Classes come from different collections (normals mostly from a tuberculosis screening): a "
    "model may have learnt the source."
)
# Some published names end in ` 0, 0, 1` or in spaces.
_DAMAGE = re.compile(r"[\s,01]*$")
# `-001-a` counts the figures of an article, `-2` the visits of a patient.
_COUNTER = re.compile(r"(?:-\d{1,3})?(?:-[a-d])?$")


def is_deit_covid(path: Path) -> bool:
    """Whether a path is the table, or a folder that holds it."""
    return _table(path) is not None


def read_deit_covid(path: Path) -> ImageSet:
    """Read the published table and the images beside or below it.

    Images that are not here are left out and counted. The group is the article or patient that a
    file name tells.

    Args:
        path: the table, or its folder.

    Raises:
        DataError: no such table, no image, an unknown fold, a row without one class, rows of one
            image that contradict each other, or two files of a name that the table lists.
    """
    found = _table(path)
    if found is None:
        raise DataError(where=path, what="is not this table", cure="Give covid_labels.csv.")
    table = load_table(found)
    root = found.parent
    named = [_cleaned(name) for name in filled(table, "image index")]
    said = [{key: row[key] for key in table.columns[1:]} for row in table.rows]
    listed = agreed(table, named, said)
    here = _images_of(listed, root)
    samples = tuple(
        Sample(
            path=here[name],
            name=here[name].relative_to(root).as_posix(),
            label=_label(row, table, name),
            group=_COUNTER.sub("", Path(name).stem),
            split=_split(row, table),
        )
        for name, row in listed.items()
        if name in here
    )
    if not samples:
        raise DataError(where=root, what="holds no image of its table", cure="Add the images.")
    absent = len(listed) - len(samples)
    return ImageSet(
        name="deit-covid",
        root=root,
        task="single-label",
        classes=CLASSES,
        samples=tuple(sorted(samples, key=lambda sample: sample.name)),
        group_word="article or patient",
        caveats=(SOURCES, *not_here(absent)),
    )


def _table(path: Path) -> Path | None:
    found = path / "covid_labels.csv" if path.is_dir() else path
    if not is_table(found):
        return None
    with found.open(encoding="utf-8-sig", errors="replace") as stream:
        header = stream.readline().strip().lower()
    return found if header == "image index,normal,pneumonia,covid,fold" else None


def _images_of(listed: Collection[str], root: Path) -> Mapping[str, Path]:
    """The files of listed names, wherever below ``root`` they lie."""
    here: dict[str, Path] = {}
    for image in images_below(root):
        if image.name not in listed:
            continue
        if image.name in here:
            first, second = (each.relative_to(root) for each in (here[image.name], image))
            raise DataError(
                where=root,
                what=f"the table's '{image.name}' may be {first} or {second}",
                cure="Remove or rename one of them.",
            )
        here[image.name] = image
    return here


def _cleaned(name: str) -> str:
    stem, dot, ending = name.strip().rpartition(".")
    return f"{stem}{dot}{ending.split(' ')[0]}" if dot else _DAMAGE.sub("", name)


def _label(row: Mapping[str, str], table: Table, name: str) -> int:
    held = [number for number, word in enumerate(CLASSES) if row[word.lower()] == "1"]
    if len(held) != 1:
        what = f"'{name}' has {len(held)} classes, one is expected"
        raise DataError(where=table.path, what=what, cure="Mark one class with 1.")
    return held[0]


def _split(row: Mapping[str, str], table: Table) -> str:
    if row["fold"] not in ("train", "val", "test"):
        what = f"has the unknown fold '{row['fold']}'"
        raise DataError(where=table.path, what=what, cure="Use train, val or test.")
    return row["fold"]
