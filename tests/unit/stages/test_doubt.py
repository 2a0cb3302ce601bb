"""Figures that are of other models than a run holds: every command that reads them says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from medistill.core.errors import RunFolderError
from medistill.core.files import read_json
from medistill.core.run_folder import RECIPE
from medistill.stages.bench import bench
from medistill.stages.bench_networks import notes_of
from medistill.stages.comparing import compare
from medistill.stages.doubt import doubt
from medistill.stages.reproducing import reproduce
from medistill.stages.run import distill, teach
from tests.unit.stages.conftest import SMALL

SAID = "The evaluation of run is not of the models and the recipe that the run holds now"


@pytest.fixture(scope="module")
def renewed(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose students were trained again after it was evaluated and exported."""
    folder = shutil.copytree(finished, tmp_path_factory.mktemp("renewed") / "run")
    teach("demo", out=folder, overrides=(*SMALL, "train.lr=0.02"))
    return distill(folder)


def test_a_current_evaluation_and_one_of_another_set_are_not_doubted(
    finished: Path, renewed: Path, tmp_path: Path
) -> None:
    assert doubt(finished / "evaluation") is None
    assert doubt(shutil.copytree(renewed / "evaluation", tmp_path / "evaluation")) is None


def test_a_comparison_says_whose_models_were_trained_again(
    finished: Path, renewed: Path, tmp_path: Path
) -> None:
    cure = f"'medistill run {renewed / RECIPE} --out {renewed}' makes it anew."
    for folder in (renewed, renewed / "evaluation"):
        assert f"{SAID}: {cure}" in compare([folder], out=tmp_path)
    assert f"{SAID}: {cure}" in read_json(tmp_path / "comparison.json")["notes"]
    assert SAID not in compare([finished])


def test_a_run_whose_recipe_alone_has_changed_is_doubted(finished: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(finished, tmp_path / "run")
    text = (folder / RECIPE).read_text(encoding="utf-8")
    (folder / RECIPE).write_text(text.replace("soft_weight: 0.9", "soft_weight: 0.8"))
    assert SAID in str(doubt(folder / "evaluation"))
    (folder / RECIPE).write_text(f"{text}\nfrom_elsewhere: 1\n", encoding="utf-8")
    assert SAID in str(doubt(folder / "evaluation"))
    (folder / RECIPE).write_text(text, encoding="utf-8")
    assert doubt(folder / "evaluation") is None
    shutil.rmtree(folder / "data")
    assert SAID in str(doubt(folder / "evaluation"))


def test_bench_says_so_and_draws_no_accuracy(
    renewed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medistill.stages.bench_networks.network_rows", lambda *given, **more: [])
    (tmp_path / "bench.svg").write_text("earlier")
    table = bench(renewed, out=tmp_path, threads=1, runs=2)
    shipped = "The bundle is not of the student that the run holds now: 'medistill export "
    assert SAID in table
    assert shipped in table
    assert len(read_json(tmp_path / "bench.json")["notes"]) == 2
    assert not (tmp_path / "bench.svg").exists()


def test_a_bundle_of_the_run_is_not_doubted(finished: Path) -> None:
    assert notes_of(finished) == []


def test_what_is_to_be_reproduced_must_be_what_was_judged(renewed: Path) -> None:
    with pytest.raises(RunFolderError, match="its evaluation is not of the models and the recipe"):
        reproduce(renewed)
    assert not renewed.with_name("run-reproduced").exists()
