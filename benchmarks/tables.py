"""Tables of the real images that group by patient where file names or lists name one.

    python -m benchmarks.tables $MEDISTILL_DATA --out runs/tables

Writes ``cxr-4class.csv`` (Kermany's ``personN`` is the patient, over both kinds of pneumonia; every
other image is its own group), ``cxr-3class.csv`` (normal, pneumonia and COVID-19 in the proportions
of the EMBC 2022 paper, at about 900 images, some 540 to train) and ``nih-cxr14.csv`` (patients
and published lists). The tables name the images by relative path; no image is copied.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from medistill.core.ending import run_program

_PERSON = re.compile(r"person(\d+)_")
#: Images a class of the three-class table: 317, 83 and 137 of the paper's 537, times 1.7.
_THREE = {"normal": 540, "pneumonia": 141, "covid-19": 233}
Row = Mapping[str, str]


def four_classes(root: Path, out: Path) -> list[Row]:
    """Rows of the four-class radiographs."""
    folder = root / "cxr-4class"
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".png"))
    return [
        {"path": _relative(path, out), "label": path.parent.name, "patient": _patient(path)}
        for path in paths
    ]


def three_classes(rows: Iterable[Row]) -> list[Row]:
    """The same with both pneumonias in one, and as many images a class as the paper's share."""
    merged = [
        {**row, "label": "pneumonia" if "pneumonia" in row["label"] else row["label"]}
        for row in rows
    ]
    chosen = []
    for label, count in _THREE.items():
        found = [row for row in merged if row["label"] == label]
        chosen += sorted(found, key=lambda row: _mixed(row["path"]))[:count]
    return sorted(chosen, key=lambda row: row["path"])


def fourteen_labels(root: Path, out: Path) -> list[Row]:
    """Rows of the ChestX-ray14 sample, with its published lists as splits."""
    folder = root / "nih-cxr14-sample"
    lists = {name: (folder / f"{name}_list.txt").read_text().split() for name in ("train", "val")}
    split = {image: name for name, images in lists.items() for image in images}
    with (folder / "Data_Entry_2017.csv").open(newline="", encoding="utf-8") as stream:
        return [
            {
                "path": _relative(folder / "images" / row["Image Index"], out),
                "labels": row["Finding Labels"],
                "patient": row["Patient ID"],
                "split": split[row["Image Index"]],
            }
            for row in csv.DictReader(stream)
            if row["Image Index"] in split
        ]


def _patient(path: Path) -> str:
    found = _PERSON.match(path.name)
    return f"person{found[1]}" if found else path.stem


def _mixed(text: str) -> str:
    """A key that sorts as if drawn by lot, the same everywhere."""
    return hashlib.sha256(Path(text).name.encode()).hexdigest()


def _relative(path: Path, out: Path) -> str:
    return Path(os.path.relpath(path, out)).as_posix()


def _write(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"{path}: {len(rows)} images, {len({row['patient'] for row in rows})} groups")


def main() -> None:
    """Write the three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    four = four_classes(options.root, options.out)
    _write(options.out / "cxr-4class.csv", four)
    _write(options.out / "cxr-3class.csv", three_classes(four))
    _write(options.out / "nih-cxr14.csv", fourteen_labels(options.root, options.out))


if __name__ == "__main__":
    run_program(main, "tables")
