"""Reports on other sets take the place of nothing but themselves."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from medistill.core.errors import RunFolderError
from medistill.core.files import read_json
from medistill.stages.evaluation_folder import ASKED, Asked, evaluation_folder, refuse_taken


def a_run(folder: Path) -> Path:
    """What marks a run with a bundle."""
    (folder / "data").mkdir(parents=True)
    (folder / "evaluation").mkdir()
    (folder / "bundle").mkdir()
    (folder / "recipe.yaml").touch()
    (folder / "data/manifest.json").touch()
    (folder / "bundle/bundle.json").touch()
    return folder


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    (tmp_path / "scans").mkdir()
    return Asked(model=a_run(tmp_path / "first"), data=str(tmp_path / "scans"))


def written(folder: Path, asked: Asked, text: str) -> None:
    with evaluation_folder(folder, asked) as place:
        (place / "report.html").write_text(text)


@pytest.mark.parametrize(
    ("out", "owner"),
    [
        (".", "a run"),
        ("evaluation", "a run"),
        ("other/deep", "a run"),
        ("bundle/evaluation", "a bundle"),
    ],
)
def test_nothing_is_written_into_a_run_or_a_bundle(asked: Asked, out: str, owner: str) -> None:
    with pytest.raises(RunFolderError, match=f"lies in {owner} "):
        refuse_taken(asked.model / out, asked)


def test_nothing_is_written_into_a_bundle_that_was_handed_on(asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "handed").mkdir()
    (tmp_path / "handed/bundle.json").touch()
    with pytest.raises(RunFolderError, match="lies in a bundle "):
        refuse_taken(tmp_path / "handed/out", asked)


def test_a_recipe_of_ones_own_beside_it_is_no_run(asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").touch()
    refuse_taken(tmp_path / "out", asked)


def test_files_of_others_stay(asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").touch()
    with pytest.raises(RunFolderError, match="holds files that are no evaluation"):
        refuse_taken(tmp_path / "mine", asked)
    with pytest.raises(RunFolderError, match="is a file"):
        refuse_taken(tmp_path / "mine/notes.txt", asked)


def test_a_mount_point_is_refused_before_the_work(asked: Asked) -> None:
    with pytest.raises(RunFolderError, match="is a mount point"):
        refuse_taken(Path("/"), asked)


def test_the_same_question_may_be_answered_again(asked: Asked, tmp_path: Path) -> None:
    for text in ("first", "second"):
        written(tmp_path / "out", asked, text)
        assert (tmp_path / "out/report.html").read_text() == text
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize(
    "other", [{"split": "test"}, {"data": "phantom"}, {"model": Path("second")}, {"plane": "axial"}]
)
def test_another_question_does_not_replace_the_answer(
    asked: Asked, tmp_path: Path, other: dict[str, str | Path]
) -> None:
    written(tmp_path / "out", asked, "first")
    with pytest.raises(RunFolderError, match=r"another evaluation \(of first on scans\)"):
        written(
            tmp_path / "out",
            dataclasses.replace(asked, **other),  # type: ignore[arg-type]
            "second",
        )
    assert (tmp_path / "out/report.html").read_text() == "first"


def test_what_fails_leaves_the_earlier_report(asked: Asked, tmp_path: Path) -> None:
    written(tmp_path / "out", asked, "first")

    def interrupted() -> None:
        with evaluation_folder(tmp_path / "out", asked) as place:
            (place / "report.html").write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert (tmp_path / "out/report.html").read_text() == "first"
    assert not list(tmp_path.glob(".out*"))


def test_what_was_asked_is_kept_without_a_path(asked: Asked, tmp_path: Path) -> None:
    written(tmp_path / "out", dataclasses.replace(asked, split="val"), "")
    text = (tmp_path / "out" / ASKED).read_text()
    assert str(tmp_path) not in text
    found = read_json(tmp_path / "out" / ASKED)
    assert (found["model"], found["data"], found["split"]) == ("first", "scans", "val")


def test_the_usual_folder_names_run_set_and_split(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pat.csv").touch()
    (tmp_path / "handed.zip").touch()

    def named(**changes: str | Path | None) -> str:
        return str(dataclasses.replace(asked, **changes).folder)  # type: ignore[arg-type]

    assert named() == "first-on-scans-evaluation"
    assert named(split="test") == "first-on-scans-test-evaluation"
    assert named(data=str(tmp_path / "pat.csv")) == "first-on-pat-evaluation"
    assert named(data="phantom:count=60,size=32") == "first-on-phantom-count-60-size-32-evaluation"
    assert named(model=asked.model / "bundle") == "first-bundle-on-scans-evaluation"
    assert named(model=tmp_path / "handed.zip") == "handed-on-scans-evaluation"
    monkeypatch.chdir(asked.model)
    assert named(model=Path()) == "first-on-scans-evaluation"


def test_what_was_put_beside_the_report_stays(asked: Asked, tmp_path: Path) -> None:
    written(tmp_path / "out", asked, "first")
    (tmp_path / "out/deep").mkdir()
    (tmp_path / "out/deep/notes.txt").touch()
    with pytest.raises(RunFolderError, match=r"holds deep/notes.txt, which this .* did not write"):
        written(tmp_path / "out", asked, "second")
    assert (tmp_path / "out/report.html").read_text() == "first"


@pytest.mark.parametrize("text", ["{", "[]", '{"hash": 1}'])
def test_a_damaged_note_is_no_evaluation(asked: Asked, tmp_path: Path, text: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ASKED).write_text(text)
    with pytest.raises(RunFolderError, match="holds files that are no evaluation"):
        refuse_taken(tmp_path / "out", asked)


def test_the_folder_of_the_command_is_refused(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here/below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here/below")
    for out in (".", ".."):
        with pytest.raises(RunFolderError, match="is where this command runs"):
            refuse_taken(Path(out), asked)
