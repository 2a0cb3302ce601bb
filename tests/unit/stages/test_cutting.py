"""Parts of a set, and what is said of a published split that they pass over."""

from __future__ import annotations

import csv
import dataclasses
from contextlib import nullcontext
from pathlib import Path

import pytest

from medistill.core.errors import DataError
from medistill.core.run_folder import RunFolder
from medistill.core.types import ImageSet, Sample
from medistill.recipe import Recipe, load_recipe
from medistill.stages.context import Context, SilentReporter
from medistill.stages.cutting import refuse_uncuttable, unused_split
from medistill.stages.data import open_data, prepare_data
from medistill.stages.run import open_run, run
from medistill.stages.survey import survey
from tests.unit.data.pictures import save_noise
from tests.unit.stages.conftest import SMALL

SAID = (
    "The published split of this set (train/test) is not used: 5 grouped folds over all images; "
    "data.folds=1 keeps it."
)


def a_set(*splits: str | None) -> ImageSet:
    samples = tuple(
        Sample(path=Path(str(n)), name=str(n), label=n % 2, group=str(n), split=split)
        for n, split in enumerate(splits)
    )
    return ImageSet(
        name="folder",
        root=Path("scans"),
        task="single-label",
        classes=("ill", "well"),
        samples=samples,
        group_word="image",
    )


def test_folds_over_a_published_split_are_a_caveat() -> None:
    images = a_set("train", "test", "train", None)
    assert unused_split(images, 5) == (SAID,)
    assert unused_split(images, 1) == ()
    assert unused_split(a_set("train", "train"), 5) == ()
    assert unused_split(a_set(None, None), 5) == ()
    assert "(train/val/test)" in unused_split(a_set("test", "val", "train"), 2)[0]


def folders(root: Path, count: int) -> Path:
    """Two classes of so many pictures in train, and of two in test."""
    for seed in range(count):
        for word in ("ill", "well"):
            save_noise(root / f"train/{word}/{seed}.png", 1000 * (word == "ill") + seed)
    for seed in range(2):
        for word in ("ill", "well"):
            save_noise(root / f"test/{word}/{seed}.png", 5000 + 1000 * (word == "ill") + seed)
    return root


def asked(data: Path, *overrides: str) -> Recipe:
    own = (f"data.path={data}", "data.unlabelled=null", "data.layout=null", "data.workers=0")
    return load_recipe("demo", (*SMALL, *own, *overrides))


def test_a_plan_and_a_run_say_that_the_split_is_not_used(tmp_path: Path) -> None:
    recipe = asked(folders(tmp_path / "scans", 12), "data.folds=5")
    assert SAID in survey(recipe).caveats
    once = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, folds=1))
    assert SAID not in survey(once).caveats
    context = Context(recipe, RunFolder(tmp_path / "run"), SilentReporter())
    prepared = prepare_data(context)
    assert SAID in prepared.images.caveats
    assert SAID in open_data(tmp_path / "run/data").images.caveats
    with (tmp_path / "run/data/parts.csv").open(newline="") as stream:
        parts = {row["part"] for row in csv.DictReader(stream) if row["path"].startswith("test/")}
    assert "fit" in parts


def test_more_folds_than_groups_are_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    data = folders(tmp_path / "scans", 12)
    for path in data.rglob("*.png"):
        path.write_bytes(b"not decoded")
    recipe = asked(data, "data.folds=50")
    with pytest.raises(DataError, match="groups"):
        survey(recipe)
    with pytest.raises(DataError, match="for 50 folds"):
        run(recipe, out=tmp_path / "run")
    assert open_run(tmp_path / "run").recipe.data.folds == 50


@pytest.mark.parametrize("guessed", [False, True])
def test_groups_that_may_still_be_joined_are_only_counted(guessed: bool) -> None:
    """Three groups of each class make no four parts; which they make is seen after decoding."""
    block = dataclasses.replace(load_recipe("demo").data, folds=1)
    few = a_set(*[None] * 6)
    samples = tuple(dataclasses.replace(sample, guessed=guessed) for sample in few.samples)
    images = dataclasses.replace(few, samples=samples)
    with nullcontext() if guessed else pytest.raises(DataError, match="too few groups"):
        refuse_uncuttable(images, block)
    with pytest.raises(DataError, match=r"has 3 groups \(image\) for 4 folds"):
        refuse_uncuttable(images, dataclasses.replace(block, folds=4))
