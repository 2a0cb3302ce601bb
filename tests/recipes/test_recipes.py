"""Two steps of every shipped recipe, from images to predictions, with small numbers put in."""

import csv
import json
from pathlib import Path

import pytest

from medistill import catalog
from medistill.serve.command import predict_command
from medistill.stages.run import run

SMALL = (
    "data.path=phantom:count=80,size=32",
    "data.stored_size=32",
    "data.workers=0",
    "views.count=1",
    "teacher.model.image_size=32",
    "teacher.fit={epochs: 1, batch_size: 64, lr: 1.0e-3}",
    "student={name: vit, image_size: 32, patch_size: 8, width: 16, depth: 2, heads: 2}",
    "train.epochs=1",
    "train.warmup_epochs=0",
    "train.batch_size=8",
)
ONLY = {
    "demo": ("data.unlabelled=phantom:count=8,size=32,seed=1",),
    "kdvit": (
        "data.folds=2",
        "teacher.model={name: vit, image_size: 32, patch_size: 8, width: 32, depth: 2, heads: 2}",
        "teacher.weights=null",
    ),
    "kdvit-small-cnn": ("data.folds=2",),
    "kdvit-small": (
        "data.folds=2",
        "teacher.model={name: vit, image_size: 32, patch_size: 8, width: 32, depth: 2, heads: 2}",
        "teacher.predistil.model.image_size=32",
        "teacher.predistil.train={epochs: 1, batch_size: 16, lr: 1.0e-3, select_by: last}",
    ),
}


@pytest.mark.parametrize("name", catalog.recipes())
def test_a_recipe_runs_from_images_to_predictions(name: str, tmp_path: Path) -> None:
    folder = run(name, out=tmp_path / "run", overrides=(*SMALL, *ONLY.get(name, ())))
    metrics = json.loads((folder / "evaluation/metrics.json").read_text())
    assert metrics["models"]["student"]
    assert metrics["models"]["control"]
    assert (folder / "evaluation/report.html").stat().st_size > 10_000
    out = tmp_path / "predictions.csv"
    images = sorted((folder / "data").rglob("images/*.png"))[:3]
    assert predict_command(folder / "bundle", images, out) == 0
    with out.open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 3
