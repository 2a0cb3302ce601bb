"""One small finished run that the tests of the stages share."""

from pathlib import Path

import pytest

from medistill.stages.run import run

SMALL = (
    "data.path=phantom:count=140,size=32",
    "data.unlabelled=phantom:count=12,size=32,seed=1",
    "data.stored_size=32",
    "data.window=lung",
    "data.workers=0",
    "views.count=2",
    "teacher.model={name: vit, image_size: 32, patch_size: 8, width: 32, depth: 2, heads: 2}",
    "teacher.weights=null",
    "teacher.members=2",
    "teacher.cross_fit=true",
    "teacher.fit={epochs: 1, batch_size: 32, lr: 1.0e-3}",
    "student={name: vit, image_size: 32, patch_size: 8, width: 16, depth: 2, heads: 2}",
    "method={name: kdvit, temperature: 2.0, soft_weight: 0.9}",
    "train.epochs=2",
    "export.variants=false",
    "train.warmup_epochs=0",
    "train.batch_size=16",
)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run("demo", out=tmp_path_factory.mktemp("runs") / "run", overrides=SMALL)
