"""Several finished runs in one table: every model, paired differences, spread over seeds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medistill.core.errors import DataError, RunFolderError
from medistill.core.files import write_json
from medistill.core.run_folder import read_record
from medistill.evaluate.grouped import Table
from medistill.evaluate.several import compare_models
from medistill.evaluate.subgroups import SUBGROUPS, Subgroup, read_subgroups
from medistill.evaluate.tables import read_table
from medistill.report.comparison_page import comparison_text, write_comparison
from medistill.stages.doubt import doubt

NO_COLUMNS = "does not tell the subgroups of its images; evaluate it again for them"
NO_LEFT_OUT = "does not tell which columns make no subgroups; evaluate it again for them"
LEFT_OUT = "columns_left_out"
ROLES = ("teacher", "student", "control")
_TABLE = re.compile(r"(teacher|student|control)(?:-(\d+))?\.csv")


def compare(runs: Sequence[str | Path], *, out: str | Path | None = None) -> str:
    """Compare the models of finished runs that were evaluated on the same images.

    Args:
        runs: run folders, or folders that ``medistill evaluate`` wrote; one is enough.
        out: folder for ``comparison.json`` and ``comparison.html``; None writes nothing.

    Returns:
        The comparison as text: who is served worse first, then the tables. It says which run's
        evaluation is not of the models that the run holds now.

    Raises:
        RunFolderError: a folder holds no evaluation.
        DataError: runs on other images or classes; says which images differ.
    """
    folders = [_evaluation(Path(run)) for run in runs]
    names = _names([Path(run) for run in runs])
    metrics = [read_record(folder / "metrics.json") for folder in folders]
    _check_classes(names, metrics)
    kept = {n: f for n, f in zip(names, folders, strict=True) if (f / SUBGROUPS).is_file()}
    models = {name: dict(_tables(folder)) for name, folder in zip(names, folders, strict=True)}
    found = compare_models(
        models,
        classes=metrics[0]["classes"],
        word=metrics[0]["group_word"],
        parts={n: _parts(f, models[n]) for n, f in kept.items()},
        left_out=list(dict.fromkeys(c for each in metrics for c in each.get(LEFT_OUT, ()))),
    )
    found["notes"] += _older(names, kept, metrics)
    found["notes"] += [said for folder in folders if (said := doubt(folder))]
    if out is not None:
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "comparison.json", found)
        write_comparison(folder / "comparison.html", found)
    return comparison_text(found)


def _older(
    names: Sequence[str], kept: Mapping[str, Path], metrics: Sequence[Mapping[str, Any]]
) -> list[str]:
    """What evaluations of earlier versions do not tell, one sentence a run."""
    silent = [name for name in names if name not in kept]
    unsaid = [n for n, m in zip(names, metrics, strict=True) if n in kept and LEFT_OUT not in m]
    return [f"{n} {NO_COLUMNS}." for n in silent] + [f"{n} {NO_LEFT_OUT}." for n in unsaid]


def _evaluation(run: Path) -> Path:
    for folder in (run / "evaluation", run):
        if (folder / "metrics.json").is_file() and (folder / "student.csv").is_file():
            return folder
        if (folder / "metrics.json").is_file() and (folder / "student-0.csv").is_file():
            return folder
    raise RunFolderError(
        where=run,
        what="holds no finished evaluation",
        cure="Finish it with 'medistill run', or give a folder that 'medistill evaluate' wrote.",
    )


def _names(runs: Sequence[Path]) -> list[str]:
    """Names of the folders, with their parents where two are called alike."""
    short = [run.resolve().name for run in runs]
    if len(set(short)) == len(short):
        return short
    long = [f"{run.resolve().parent.name}/{run.resolve().name}" for run in runs]
    if len(set(long)) < len(long):
        raise DataError(where="compare", what="a run is given twice", cure="Give each run once.")
    return long


def _tables(folder: Path) -> Iterator[tuple[str, list[Table]]]:
    for role in ROLES:
        found = {
            int(match.group(2) or 0): path
            for path in folder.glob(f"{role}*.csv")
            if (match := _TABLE.fullmatch(path.name))
        }
        if found:
            yield role, [_sorted(read_table(found[seed])[0]) for seed in sorted(found)]


def _parts(folder: Path, roles: Mapping[str, Sequence[Table]]) -> list[Subgroup]:
    return read_subgroups(folder / SUBGROUPS, roles["student"][0].names)


def _sorted(table: Table) -> Table:
    """The same rows by name, so that two runs that stored images in another order agree."""
    return table.only(np.argsort(np.asarray(table.names)))


def _check_classes(names: Sequence[str], metrics: Sequence[Mapping[str, Any]]) -> None:
    for name, each in zip(names, metrics, strict=True):
        if each["classes"] != metrics[0]["classes"]:
            raise DataError(
                where=name,
                what=f"knows the classes {', '.join(each['classes'])}, and {names[0]} "
                f"{', '.join(metrics[0]['classes'])}",
                cure="Compare runs on the same classes.",
            )
