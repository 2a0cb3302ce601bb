"""Whether an evaluation is of what the run holds now, and what is shipped where it is not."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

from rich.console import Console

from medistill.core.files import read_json
from medistill.core.run_folder import RECIPE
from medistill.stages.bundle import NOT_EVALUATED
from medistill.stages.console import ConsoleReporter
from medistill.stages.data import prepare_data
from medistill.stages.evaluation import is_evaluated
from medistill.stages.run import distill, export, open_run, teach
from tests.unit.stages.conftest import SMALL


def card_findings(folder: Path) -> list[str]:
    found: list[str] = read_json(folder / "bundle/bundle.json")["findings"]
    return found


def judged(folder: Path) -> bool:
    context = open_run(folder)
    return is_evaluated(context, prepare_data(context))


def test_a_new_student_is_not_shipped_with_the_old_students_findings(
    finished: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(finished, tmp_path / "run")
    old = card_findings(folder)
    assert any("AUROC" in sentence for sentence in old)
    report = (folder / "evaluation/report.html").read_bytes()
    teach("demo", out=folder, overrides=(*SMALL, "train.lr=0.02"))
    distill(folder)
    heard = io.StringIO()
    export(folder, reporter=ConsoleReporter(Console(file=heard, width=2000)))
    assert card_findings(folder) == [NOT_EVALUATED]
    assert NOT_EVALUATED in (folder / "bundle/README.md").read_text(encoding="utf-8")
    assert (
        f"{NOT_EVALUATED} 'medistill run {folder / RECIPE} --out {folder}' makes one"
        in heard.getvalue()
    )
    assert (folder / "evaluation/report.html").read_bytes() == report


def test_an_evaluation_stands_until_a_model_or_its_figures_change(
    finished: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(finished, tmp_path / "run")
    assert judged(folder)
    figures = folder / "evaluation/metrics.json"
    kept = figures.read_bytes()
    figures.write_bytes(kept.replace(b'"task"', b'"tusk"'))
    assert not judged(folder)
    figures.unlink()
    assert not judged(folder)
    figures.write_bytes(kept)
    assert judged(folder)
    # As an earlier version wrote it.
    manifest = folder / "evaluation/manifest.json"
    said = json.loads(manifest.read_text(encoding="utf-8"))
    said["inputs"]["version"] = 9
    del said["outputs"]["metrics.json"]
    manifest.write_text(json.dumps(said), encoding="utf-8")
    assert judged(folder)
    shutil.rmtree(folder / "seed-0/control")
    assert not judged(folder)
