"""Every shipped recipe with small numbers put in: all rehearsed, some run to predictions."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from medistill import catalog
from medistill.core.run_folder import RunFolder
from medistill.core.types import Task
from medistill.recipe import Recipe, load_recipe
from medistill.serve.command import predict_command
from medistill.stages.context import Context, SilentReporter
from medistill.stages.data import prepare_data
from medistill.stages.rehearsal import Given, rehearse, rehearse_given
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
        masks_are_predicted(folder, tmp_path / "masks")
        return
    out = tmp_path / "predictions.csv"
    images = sorted((folder / "data").rglob("images/*.png"))[:3]
    assert predict_command(folder / "bundle", images, out) == 0
    with out.open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 3


def masks_are_predicted(folder: Path, out: Path) -> None:
    """The bundle's masks of unseen images are those that the evaluation judged, near edges."""
    out.mkdir()
    judged = sorted((folder / "evaluation/masks/images").glob("*.png"))[:3]
    drawn = {path.name: path for path in (folder / "data").rglob("images/*.png")}
    images = [drawn[path.name] for path in judged]
    assert predict_command(folder / "bundle", images, out / "areas.csv", masks=out) == 0
    for path in judged:
        (found,) = (np.asarray(Image.open(each)) for each in out.glob(f"{path.stem}-*.png"))
        assert (found == np.asarray(Image.open(path))).mean() > 0.999


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prepared")


#: Recipes whose paper has a student of more parameters than its teacher; all others must not.
AS_IN_THE_PAPER = {"deit-cxr", "deit-cxr-14-labels"}
CLASSES: dict[Task, int] = {"single-label": 3, "multi-label": 14, "segmentation": 2}
MASKS = (
    "data.path=phantom:count=80,size=32,task=segmentation",
    "student={name: pvt_v2_b0, image_size: 64, decoder: mlp, decoder_width: 16}",
    "teacher.model={name: tf_efficientnet_lite0, image_size: 64, decoder: mlp, decoder_width: 16}",
    "teacher.fit.select_by=dice",
    "train.select_by=dice",
    "method.task=segmentation",
)
WINDOWS = (
    "data.path=phantom:count=80,size=128,task=segmentation",
    "data.stored_size=128",
    "student.canvas=128",
    "teacher.model.canvas=128",
    "views.scale=[0.17,0.38]",
)
LABELS = ("data.path=phantom:count=80,size=32,task=lesions", "method.task=multi-label")
#: Baselines on labels of another kind than their papers', and masks of a canvas.
FORMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "dist on labels": ("dist-small", LABELS),
    "dist on masks": ("dist-small", MASKS),
    "masks window by window": ("rskd-small", WINDOWS),
    "locality on labels": ("locality-small", LABELS),
    "locality on masks": (
        "locality-small",
        (*MASKS, "method.teacher_stages=[level1, level2, level3]", "method.soft_weight=1.0"),
    ),
    "ofa on labels": ("ofa-small", LABELS),
    "vkd on labels": ("vkd-small", LABELS),
}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_baseline_runs_on_other_labels(form: str, tmp_path: Path) -> None:
    name, overrides = FORMS[form]
    folder = run(name, out=tmp_path / "run", overrides=(*small_overrides(name), *overrides))
    metrics = json.loads((folder / "evaluation/metrics.json").read_text())
    assert metrics["models"]["student"]
    if metrics.get("task") == "segmentation":
        masks_are_predicted(folder, tmp_path / "masks")


@pytest.mark.parametrize("form", FORMS)
def test_a_baseline_fits_other_labels(form: str, folders: Path) -> None:
    name, overrides = FORMS[form]
    rehearsed(load_recipe(name, (*small_overrides(name), *overrides)), folders)


@pytest.mark.parametrize("name", catalog.recipes())
def test_the_networks_that_a_recipe_names_fit_together(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At their own sizes, which cost nothing where no number is computed."""
    # Whether published weights can be had is the machine's affair, not the recipe's.
    monkeypatch.setattr("medistill.stages.start_weights.require_published", lambda *_, **__: None)
    recipe = load_recipe(name)
    (task, *_) = (each for each in CLASSES if each in recipe.method.tasks)
    given, said = Given(task=task, classes=CLASSES[task], rows=400), list[str]()
    # Segmentation networks switch autocast off, which only real devices know.
    with torch.device("cpu" if recipe.student.decoder else "meta"):
        rehearse_given(recipe, given, said.append)
    larger = any("not fewer than its teacher's" in text for text in said)
    assert larger == (name in AS_IN_THE_PAPER)


@pytest.mark.parametrize("name", catalog.recipes())
def test_method_and_networks_of_a_recipe_fit_together(name: str, folders: Path) -> None:
    rehearsed(load_recipe(name, small_overrides(name)), folders)


def rehearsed(recipe: Recipe, folders: Path) -> None:
    # Recipes of one kind of data share its folder, so that its images are drawn once.
    folder = folders / str(recipe.data.path).rpartition("=")[2]
    context = Context(recipe, RunFolder(folder), SilentReporter())
    rehearse(context, prepare_data(context))
