"""Compare, explain and reproduce, and the published schema, on one small finished run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from PIL import Image

import medistill.evaluate
from medistill.core.errors import DataError, RunFolderError
from medistill.core.files import read_json, write_json
from medistill.recipe import load_recipe
from medistill.stages.comparing import compare
from medistill.stages.context import SilentReporter
from medistill.stages.overlays import explain_images
from medistill.stages.reproducing import differing, exact_recipe, in_words, provenance, reproduce
from medistill.stages.run import open_recipe, run
from tests.unit.stages.conftest import SMALL

SCHEMA = Path(str(medistill.evaluate.__path__[0])) / "metrics.schema.json"


def test_metrics_obey_the_published_schema(finished: Path) -> None:
    schema = read_json(SCHEMA)
    jsonschema.Draft202012Validator.check_schema(schema)
    metrics = read_json(finished / "evaluation/metrics.json")
    jsonschema.validate(metrics, schema)
    broken = {**metrics, "harm": [{"kind": "nobody"}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_a_run_is_compared_with_an_evaluation_of_the_same_images(
    finished: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(finished / "evaluation", other)
    text = compare([finished, other], out=tmp_path / "out")
    assert "other student minus run student" in text
    assert (tmp_path / "out/comparison.html").is_file()
    found = read_json(tmp_path / "out/comparison.json")
    assert len(found["models"]) == 6


def test_columns_that_make_no_subgroups_are_named_and_an_older_evaluation_too(
    finished: Path, tmp_path: Path
) -> None:
    metrics = read_json(finished / "evaluation/metrics.json")
    for name, columns in (("told", ["visit (14 values)"]), ("older", None)):
        shutil.copytree(finished / "evaluation", tmp_path / name)
        known = {k: v for k, v in metrics.items() if k != "columns_left_out"}
        known |= {} if columns is None else {"columns_left_out": columns}
        write_json(tmp_path / name / "metrics.json", known)
    text = compare([finished, tmp_path / "told", tmp_path / "older"])
    said = "Columns or values that make no subgroups, not tested for harm: visit (14 values).\n"
    assert said in text
    assert "older does not tell which columns make no subgroups; evaluate it again" in text
    assert "told does not" not in text


def test_other_images_other_classes_and_no_evaluation_are_refused(
    finished: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(finished / "evaluation", other)
    for path in other.glob("*.csv"):
        path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(DataError, match=r"other images than run .*images/phantom-"):
        compare([finished, other])
    text = (other / "metrics.json").read_text().replace('"lesion"', '"tumour"')
    (other / "metrics.json").write_text(text)
    with pytest.raises(DataError, match="knows the classes normal, tumour"):
        compare([finished, other])
    with pytest.raises(RunFolderError, match="holds no finished evaluation"):
        compare([finished, tmp_path])
    with pytest.raises(DataError, match="given twice"):
        compare([finished, finished])


@pytest.mark.parametrize("read", [lambda run: compare([run]), reproduce])
def test_damaged_figures_are_named(
    finished: Path, tmp_path: Path, read: Callable[[Path], object]
) -> None:
    copy = shutil.copytree(finished, tmp_path / "run")
    metrics = copy / "evaluation/metrics.json"
    metrics.write_bytes(metrics.read_bytes()[:-9])
    with pytest.raises(RunFolderError, match=r"metrics\.json: is damaged or cut short"):
        read(copy)


def test_overlays_are_written_and_what_cannot_be_read_is_left_out(
    finished: Path, tmp_path: Path
) -> None:
    image = next((finished / "data/drawn").rglob("images/*.png"))
    said: list[str] = []
    speaker = SilentReporter()
    speaker.say = said.append  # type: ignore[method-assign]
    folder = explain_images(
        finished, [image, tmp_path / "none.png"], out=tmp_path / "out", reporter=speaker
    )
    assert any(": teacher (first of 2 members) says " in line for line in said)
    assert any(": student says " in line for line in said)
    names = sorted(path.name.split(".", 1)[1] for path in folder.iterdir())
    methods = ("attention-roll-out", "grad-cam", "gradient-roll-out")
    assert names == [f"{role}.{m}.png" for role in ("student", "teacher") for m in methods]
    with Image.open(next(folder.iterdir())) as picture:
        assert picture.size == (32, 32)
    with pytest.raises(DataError, match="no image could be read"):
        explain_images(finished, [tmp_path / "none.png"], out=tmp_path / "out")


def test_exact_reaches_every_training() -> None:
    recipe = exact_recipe(load_recipe("rskd-small"))
    assert recipe.train.exact
    assert recipe.teacher.fit is not None
    assert recipe.teacher.fit.exact
    assert recipe.teacher.predistil is not None
    assert recipe.teacher.predistil.train.exact


def test_exact_reaches_the_students_label_free_stage() -> None:
    recipe = exact_recipe(load_recipe("affinity-small"))
    assert recipe.predistil is not None
    assert recipe.predistil.train.exact


def test_what_differs_is_said(finished: Path, tmp_path: Path) -> None:
    before = provenance(finished)
    same = differing(before, before)
    assert all(each["same"] for each in same.values())
    assert in_words(same, exact=True)[0] == "Reproduced: every weight is bit-identical."
    after = {**before, "weights": {"seed-0/student": "0"}, "versions": {"torch": "0"}}
    said = in_words(differing(before, after), exact=False)
    assert said[0].startswith("Not bit-identical")
    assert "versions" in said[2]
    with pytest.raises(RunFolderError, match="no finished evaluation"):
        provenance(tmp_path)


@pytest.mark.slow
def test_an_exact_run_gives_the_same_bits_again(tmp_path: Path) -> None:
    first = run(open_recipe("demo", overrides=SMALL, exact=True), out=tmp_path / "run")
    assert reproduce(first) == 0
    found = read_json(tmp_path / "run-reproduced/reproduction.json")
    assert found["weights"]["same"]
    assert found["figure"]["same"]
