"""Every shipped recipe with small numbers put in: all rehearsed, some run to predictions."""

import csv
import json
from pathlib import Path

import pytest

from medistill import catalog
from medistill.core.run_folder import RunFolder
from medistill.recipe import load_recipe
from medistill.serve.command import predict_command
from medistill.stages.context import Context, SilentReporter
from medistill.stages.data import prepare_data
from medistill.stages.rehearsal import rehearse
from medistill.stages.run import run
from tests.recipes.small_recipes import small_overrides

#: One of each kind of method is run whole by every test run; the others by `make verify`.
QUICK = {"demo", "kdvit", "drpl-vit-small", "rms-net-small", "rskd-small"}
NAMES = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name in catalog.recipes()
]


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_runs_from_images_to_predictions(name: str, tmp_path: Path) -> None:
    folder = run(name, out=tmp_path / "run", overrides=small_overrides(name))
    metrics = json.loads((folder / "evaluation/metrics.json").read_text())
    assert metrics["models"]["student"]
    assert metrics["models"]["control"]
    assert (folder / "evaluation/report.html").stat().st_size > 4_000
    assert (folder / "bundle/bundle.json").is_file()
    if metrics.get("task") == "segmentation":
        assert sorted((folder / "evaluation/masks").rglob("*.png"))
        return  # bundles of masks are not predicted with yet
    out = tmp_path / "predictions.csv"
    images = sorted((folder / "data").rglob("images/*.png"))[:3]
    assert predict_command(folder / "bundle", images, out) == 0
    with out.open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 3


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prepared")


@pytest.mark.parametrize("name", catalog.recipes())
def test_method_and_networks_of_a_recipe_fit_together(name: str, folders: Path) -> None:
    recipe = load_recipe(name, small_overrides(name))
    # Recipes of one kind of data share its folder, so that its images are drawn once.
    folder = folders / str(recipe.data.path).rpartition("=")[2]
    context = Context(recipe, RunFolder(folder), SilentReporter())
    rehearse(context, prepare_data(context))
