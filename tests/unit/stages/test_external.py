import csv
import json
import shutil
from pathlib import Path

import jsonschema
import pytest
import yaml
from scipy.stats import rankdata

import medistill.evaluate
from medistill.core.errors import DataError, RunFolderError
from medistill.core.files import read_json
from medistill.data.phantom import read_phantom
from medistill.stages.comparing import compare
from medistill.stages.context import SilentReporter
from medistill.stages.data import open_data
from medistill.stages.external import evaluate

SCHEMA = Path(str(medistill.evaluate.__path__[0])) / "metrics.schema.json"
OTHER = "phantom:count=60,size=32,start=5000"


def test_a_run_brings_teacher_student_and_control(finished: Path, tmp_path: Path) -> None:
    report = evaluate(finished, data=OTHER, out=tmp_path / "out")
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert report.is_file()
    assert metrics["counts"]["images"] == 60
    assert all(metrics["models"][role] for role in ("teacher", "student", "control"))


def test_a_bundle_says_the_same_of_its_student_as_the_run(finished: Path, tmp_path: Path) -> None:
    evaluate(finished, data=OTHER, out=tmp_path / "run")
    evaluate(finished / "bundle", data=OTHER, out=tmp_path / "bundle")
    found = [
        json.loads((tmp_path / name / "metrics.json").read_text())["models"]["student"]["overall"]
        for name in ("run", "bundle")
    ]
    for name in ("auroc", "accuracy"):
        assert found[0][name]["estimate"] == pytest.approx(found[1][name]["estimate"], abs=1e-6)
    made = read_json(finished / "evaluation/metrics.json")["provenance"]
    by_run, by_bundle = (
        read_json(tmp_path / name / "metrics.json")["provenance"] for name in ("run", "bundle")
    )
    assert by_run["weights"] == made["weights"]
    assert by_run["tensors"]["seed-0/student"] == by_bundle["student"]
    assert by_run["data"] == by_bundle["data"] == made["data"]
    assert by_run["evaluated"]["data"] == by_bundle["evaluated"]["data"] != made["data"]
    for name in ("run", "bundle"):
        page = (tmp_path / name / "report.html").read_text()
        assert f"<td>{by_run['evaluated']['data']}</td>" in page
        assert "<li>7 data sources: layout and hash of the data: <a" in page
        assert "<li>33 testing on external data" in page.split("Left to the authors")[0]


class Heard(SilentReporter):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.parametrize("model", [".", "bundle"])
def test_images_that_cannot_be_read_are_counted_and_named(
    finished: Path, tmp_path: Path, model: str
) -> None:
    data = folders(tmp_path, {"normal": "normal", "lesion": "lesion"})
    broken = sorted((data / "lesion").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:60])
    heard = Heard()
    with pytest.raises(DataError, match=rf"1 of 12 images cannot be read: lesion/{broken.name} "):
        evaluate(finished / model, data=data, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    page = evaluate(
        finished / model, data=data, out=tmp_path / "out", skip_unreadable=True, reporter=heard
    ).read_text()
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    (left,) = metrics["flow"]["unreadable"]
    assert left["name"] == f"lesion/{broken.name}"
    assert "truncated" in left["reason"]
    assert (metrics["flow"]["listed"], metrics["flow"]["stored"]) == (12, 11)
    assert metrics["flow"]["parts"]["evaluate"]["classes"] == {"normal": 6, "lesion": 5}
    assert metrics["counts"]["images"] == 11
    # Some of these phantoms are the run's own, which is said before.
    said = [line for line in heard.lines if not line.startswith("Caution: ")]
    assert said[:2] == [
        "Judged 11 of 12 listed images.",
        f"left out: {left['name']}: {left['reason']}",
    ]
    assert left["name"] in page
    jsonschema.validate(metrics, read_json(SCHEMA))


def test_many_images_left_out_are_counted_and_the_first_named(
    finished: Path, tmp_path: Path
) -> None:
    data = folders(tmp_path, {"normal": "normal", "lesion": "lesion"})
    for path in (
        *sorted((data / "lesion").iterdir())[:4],
        *sorted((data / "normal").iterdir())[:4],
    ):
        path.write_bytes(b"")
    heard = Heard()
    evaluate(
        finished / "bundle",
        data=data,
        out=tmp_path / "out",
        skip_unreadable=True,
        reporter=heard,
    )
    assert heard.lines[0] == "Judged 4 of 12 listed images."
    assert sum(line.startswith("left out: ") for line in heard.lines) == 6
    assert "left out: 3 more, named in metrics.json" in heard.lines


def folders(root: Path, names: dict[str, str]) -> Path:
    """Phantoms in class folders under other names."""
    drawn = read_phantom(root / "drawn", count=12, size=32)
    for sample in drawn.samples:
        assert isinstance(sample.label, int)
        folder = root / "set" / names[drawn.classes[sample.label]]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(sample.path, folder / sample.path.name)
    return root / "set"


def test_classes_are_matched_by_name_not_by_order(finished: Path, tmp_path: Path) -> None:
    # In the folder layout 'lesion' comes before 'normal'; in the run it is the other way round.
    data = folders(tmp_path, {"normal": "normal", "lesion": "lesion"})
    evaluate(finished, data=data, out=tmp_path / "out")
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["classes"] == ["normal", "lesion"]
    rows = (tmp_path / "out/student.csv").read_text().splitlines()[1:]
    assert all(row.split("/")[0] == row.split(",")[1] for row in rows)


def test_a_class_that_the_model_does_not_know_is_refused(finished: Path, tmp_path: Path) -> None:
    data = folders(tmp_path, {"normal": "normal", "lesion": "tumour"})
    with pytest.raises(
        DataError, match="has the class 'tumour', and the model knows normal, lesion"
    ):
        evaluate(finished, data=data, out=tmp_path / "out")


def test_a_split_without_images_is_refused(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no labelled image lies in the split 'test'"):
        evaluate(finished, data=OTHER, out=tmp_path / "out", split="test")


@pytest.mark.parametrize("listed", [False, True])
def test_a_set_of_positives_alone_tells_the_sensitivity(
    finished: Path, tmp_path: Path, listed: bool
) -> None:
    data = folders(tmp_path, {"normal": "normal", "lesion": "lesion"})
    shutil.rmtree(data / "normal")
    if listed:
        names = sorted(path.name for path in (data / "lesion").iterdir())
        rows = ["path,label", *(f"lesion/{name},lesion" for name in names)]
        data = data / "list.csv"
        data.write_text("\n".join(rows))
    evaluate(finished / "bundle", data=data, out=tmp_path / "out")
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    jsonschema.validate(metrics, read_json(SCHEMA))
    assert metrics["counts"]["images"] == 6
    with (tmp_path / "out/student.csv").open(newline="") as stream:
        said = [float(row["p_lesion"]) > 0.5 for row in csv.DictReader(stream)]
    student = metrics["models"]["student"]
    found = student["per_class"]["lesion"]["sensitivity"]["estimate"]
    assert found == pytest.approx(sum(said) / 6)
    assert student["overall"]["auroc"]["estimate"] is None


def test_images_that_the_run_learnt_from_are_a_caveat(finished: Path, tmp_path: Path) -> None:
    own = open_data(finished / "data")
    judged = len(own.parts[0].evaluate)
    path = yaml.safe_load((finished / "recipe.yaml").read_text())["data"]["path"]
    heard = Heard()
    evaluate(finished, data=path, out=tmp_path / "own", reporter=heard)
    metrics = read_json(tmp_path / "own/metrics.json")
    listed = metrics["counts"]["images"]
    words = f"{listed - judged:,} of {listed:,} images are among those that this run learnt from"
    assert metrics["caveats"][0].startswith(words)
    assert any(line.startswith(f"Caution: {words}") for line in heard.lines)
    evaluate(finished, data=OTHER, out=tmp_path / "other")
    assert not any(
        "learnt" in each for each in read_json(tmp_path / "other/metrics.json")["caveats"]
    )


def test_a_run_is_not_written_to(finished: Path) -> None:
    figures = (finished / "evaluation/metrics.json").read_bytes()
    with pytest.raises(RunFolderError, match="lies in a run "):
        evaluate(finished / "bundle", data=OTHER, out=finished / "evaluation")
    assert (finished / "evaluation/metrics.json").read_bytes() == figures


def table(root: Path, women: set[str]) -> Path:
    """Phantoms in a CSV table with a patient, a sex, an age and a visit each."""
    drawn = read_phantom(root / "drawn", count=160, size=32, start=5000)
    with (root / "images.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label", "patient", "sex", "age", "visit"])
        for number, sample in enumerate(drawn.samples):
            path = sample.path.relative_to(root)
            sex = "F" if path.as_posix() in women else "M"
            label = drawn.classes[int(str(sample.label))]
            writer.writerow([path, label, f"p{number}", sex, 20 + number % 60, f"v{number}"])
    return root / "images.csv"


def better_served_by_the_teacher(folder: Path) -> set[str]:
    """30 lesions and 30 normal images that the student ranks most falsely beside the teacher."""
    rows = {}
    for role in ("teacher", "student"):
        with (folder / f"{role}.csv").open(encoding="utf-8") as stream:
            rows[role] = list(csv.DictReader(stream))
    ranks = [rankdata([float(row["p_lesion"]) for row in each]) for each in rows.values()]
    found: set[str] = set()
    for label, sign in (("lesion", -1), ("normal", 1)):
        own = [n for n, row in enumerate(rows["student"]) if row["label"] == label]
        worst = sorted(own, key=lambda n: sign * (ranks[0][n] - ranks[1][n]))[:30]
        found |= {rows["student"][n]["path"] for n in worst}
    return found


def test_harm_to_a_sex_of_the_table_is_named_first_and_stands_in_the_report(
    finished: Path, tmp_path: Path
) -> None:
    evaluate(finished, data=table(tmp_path, set()), out=tmp_path / "first")
    women = better_served_by_the_teacher(tmp_path / "first")
    page = evaluate(finished, data=table(tmp_path, women), out=tmp_path / "out").read_text()
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    names = {each["name"] for each in metrics["harm"] if each["kind"] == "subgroup"}
    assert names == {"sex F", "sex M", "age 18 to 39", "age 40 to 64", "age 65 and over"}
    said = "The student serves the subgroup 'sex F' worse than the teacher: AUROC "
    assert any(sentence.startswith(said) for sentence in metrics["answer"]["harm"])
    assert page.index("subgroup &#39;sex F&#39; worse than the teacher") < page.index(
        'id="results"'
    )
    assert "age 40 to 64, against the teacher" in page
    assert "not tested for harm: visit (160 values)." in page
    assert '<a href="#subgroups">' in page
    text = compare([tmp_path / "out"], out=tmp_path / "compared")
    assert any(line.startswith(said) for line in text.splitlines())
    assert said in (tmp_path / "compared/comparison.html").read_text().replace("&#39;", "'")
    (tmp_path / "out/subgroups.csv").unlink()
    text = compare([tmp_path / "out"])
    assert "subgroup '" not in text
    assert "out does not tell the subgroups of its images; evaluate it again for them." in text
