"""Layout ``chestxray14``: NIH ChestX-ray14 as published (Wang et al., CVPR 2017).

``Data_Entry_2017*.csv``, images below ``images*/``, and lists of file names: the official
``train_val_list.txt`` and ``test_list.txt``, or ``train_list.txt``, ``val_list.txt``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Sample
from medistill.data.listing import images_below
from medistill.data.table_file import Table, agreed, filled, load_table, not_here

FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Effusion",
    "Emphysema",
    "Fibrosis",
    "Hernia",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pleural_Thickening",
    "Pneumonia",
    "Pneumothorax",
)
TEXT_LABELS = "Labels were mined from reports by a program: a share of them is wrong."
_LISTS: Mapping[str, str] = MappingProxyType(
    {"train_val": "train", "train": "train", "val": "val", "test": "test"}
)
_NONE = "no finding"
_COLUMNS = ("image index", "finding labels", "patient id")
#: Columns that are kept, and as what; releases call the sex by either word.
_ATTRIBUTES: Mapping[str, str] = MappingProxyType(
    {
        "view position": "view",
        "patient gender": "sex",
        "patient sex": "sex",
        "patient age": "age",
    }
)


def is_chestxray14(root: Path) -> bool:
    """Whether a folder has the published layout."""
    return root.is_dir() and _entry(root) is not None


def read_chestxray14(root: Path) -> ImageSet:
    """Read ChestX-ray14: 14 findings an image, grouped by patient.

    Images that the table lists and that are not here are left out and counted.

    Args:
        root: the folder.

    Raises:
        DataError: no table, a column missing, two rows that contradict each other about an image,
            no image, or an unknown finding.
    """
    entry = _entry(root)
    if entry is None:
        raise DataError(
            where=root,
            what="does not hold Data_Entry_2017.csv",
            cure="Give the folder of ChestX-ray14 as its authors publish it.",
        )
    table = load_table(entry)
    here = {path.name: path for path in images_below(root)}
    split = _splits(root)
    listed = _listed(table)
    samples = sorted(
        (
            _sample(root, here[name], row, split, table)
            for name, row in listed.items()
            if name in here
        ),
        key=lambda sample: sample.name,
    )
    if not samples:
        raise DataError(where=root, what="holds no image of its table", cure="Unpack the images.")
    absent = len(listed) - len(samples)
    left_out = not_here(absent)
    return ImageSet(
        name="chestxray14",
        root=root,
        task="multi-label",
        classes=FINDINGS,
        samples=tuple(samples),
        group_word="patient",
        caveats=(TEXT_LABELS, *left_out),
    )


def _listed(table: Table) -> dict[str, Mapping[str, str]]:
    """The row of each image."""
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise DataError(
            where=table.path,
            what=f"has no column '{missing[0]}' (it has: {', '.join(table.columns)})",
            cure="Name the columns as published: Image Index, Finding Labels, Patient ID.",
        )
    kept = [*_COLUMNS, *_ATTRIBUTES]
    rows = [{name: row.get(name, "") for name in kept} for row in table.rows]
    return dict(agreed(table, filled(table, "image index"), rows))


def _sample(
    root: Path, path: Path, row: Mapping[str, str], split: Mapping[str, str], table: Table
) -> Sample:
    held = {word for word in row["finding labels"].split("|") if word.lower() != _NONE}
    unknown = held - set(FINDINGS)
    if unknown:
        raise DataError(
            where=table.path,
            what=f"has the unknown finding '{sorted(unknown)[0]}'",
            cure=f"Use the 14 of the publication: {', '.join(FINDINGS)}.",
        )
    return Sample(
        path=path,
        name=path.relative_to(root).as_posix(),
        label=tuple(float(finding in held) for finding in FINDINGS),
        group=f"patient {row['patient id']}",
        split=split.get(path.name),
        attributes={word: row[column] for column, word in _ATTRIBUTES.items() if row.get(column)},
    )


def _entry(root: Path) -> Path | None:
    return next(iter(sorted(root.glob("Data_Entry_2017*.csv"))), None)


def _splits(root: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for stem, split in _LISTS.items():
        path = root / f"{stem}_list.txt"
        if path.is_file():
            names = path.read_text(encoding="utf-8-sig").split()
            found |= dict.fromkeys(names, split)
    return found
