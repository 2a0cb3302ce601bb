import json
import multiprocessing
from pathlib import Path

import pytest

from medistill.core.errors import RunFolderError
from medistill.core.files import temporary_beside
from medistill.core.run_folder import RunFolder, read_manifest


def write(run: RunFolder, inputs: dict[str, int], text: str = "x") -> None:
    with run.writing("stage", inputs) as stage:
        (stage.folder / "file").write_text(text)
        stage.outputs["answer"] = 42


def write_half(run: RunFolder, text: str) -> None:
    with run.writing("stage", {"a": 1}) as stage:
        (stage.folder / "half").write_text(text)
        raise KeyError


def test_a_finished_stage_records_what_it_was_made_from(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    write(run, {"a": 1})
    assert run.is_current("stage", {"a": 1})
    assert not run.is_current("stage", {"a": 2})
    assert run.outputs("stage") == {"answer": 42}
    assert run.manifest("stage")["inputs"] == {"a": 1}


def test_what_a_stage_was_not_made_from_is_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    inputs = {"data": "a", "train": {"lr": 1.0, "betas": (0.9, 0.99), "seed": None}}
    with run.writing("stage", inputs):
        pass
    assert run.change("stage", inputs) is None
    assert run.change("stage", {"data": "b"}) == "data"
    assert run.change("stage", {"train": {"lr": 1.0, "betas": (0.9, 0.9)}}) == "train.betas"
    assert run.change("stage", {"train": {"seed": {}}}) == "train.seed"
    # A value that an earlier version did not know, and one that is not asked about.
    assert run.change("stage", {"train": {"ema": 0.5}, "views": 1}) is None
    with pytest.raises(RunFolderError, match="the stage 'other' has not been finished"):
        run.change("other", inputs)


def test_a_failed_stage_stays_partial_and_is_continued_with_the_same_inputs(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with pytest.raises(KeyError):
        write_half(run, "kept")
    assert not run.stage("stage").exists()
    with run.writing("stage", {"a": 1}) as stage:
        assert stage.resumed
        assert (stage.folder / "half").read_text() == "kept"


def test_what_a_killed_attempt_had_begun_to_write_is_not_kept(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with pytest.raises(KeyError):
        write_half(run, "kept")
    begun = run.stage("stage.partial") / "inner"
    begun.mkdir()
    temporary_beside(begun / "member-0.safetensors").write_text("torn")
    temporary_beside(tmp_path / "recipe.yaml").write_text("torn")
    (tmp_path / ".lock").touch()
    with run.locked():
        write(run, {"a": 1})
    names = {path.name for path in tmp_path.rglob("*")}
    assert names == {".lock", "stage", "file", "half", "inner", "manifest.json"}


def test_a_partial_stage_of_other_inputs_is_dropped(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with pytest.raises(KeyError):
        write_half(run, "old")
    with run.writing("stage", {"a": 2}) as stage:
        assert not stage.resumed
        assert not (stage.folder / "half").exists()


def test_the_finished_stage_stays_until_its_successor_is_whole(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    write(run, {"a": 1}, "old")
    with pytest.raises(KeyError), run.writing("stage", {"a": 2}):
        raise KeyError
    assert (run.stage("stage") / "file").read_text() == "old"
    write(run, {"a": 2}, "new")
    assert (run.stage("stage") / "file").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stage"]


@pytest.mark.parametrize("replaced", [False, True])
def test_a_stage_that_a_kill_hit_on_its_way_to_its_place_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    run = RunFolder(tmp_path)
    if replaced:
        write(run, {"a": 1}, "old")

    def killed(new: Path, final: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("medistill.core.run_folder._put", killed)
        with pytest.raises(KeyboardInterrupt):
            write(run, {"a": 2}, "new")
    assert run.is_current("stage", {"a": 2})
    assert (run.stage("stage") / "file").read_text() == "new"
    assert not run.is_current("stage", {"a": 1})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stage"]


def write_needed(run: RunFolder) -> Path:
    with run.writing("stage", {"a": 1}) as stage:
        (stage.folder / "weights").write_text("12345")
        (stage.folder / "notes").write_text("x")
        stage.needed.append("weights")
    return run.stage("stage")


def test_a_stage_whose_needed_file_is_gone_or_cut_short_is_made_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    folder = write_needed(run)
    (folder / "notes").unlink()
    assert run.is_current("stage", {"a": 1})
    assert run.whole("stage") == folder
    (folder / "weights").write_text("123")
    assert not run.is_current("stage", {"a": 1})
    with pytest.raises(RunFolderError, match="'weights' has 3 bytes instead of 5"):
        run.whole("stage")
    (folder / "weights").unlink()
    assert not run.is_current("stage", {"a": 1})
    with pytest.raises(RunFolderError, match="'weights' is gone. Run 'medistill run'"):
        run.whole("stage")
    write_needed(run)
    assert run.is_current("stage", {"a": 1})


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b'{"inputs": {"a": 1}, "inp',
        b"\xff\xfe",
        b"{}",
        b"[]",
        b'{"inputs": {"a": 1}, "inputs_hash": "x", "outputs": {}, "files": null}',
    ],
)
def test_a_damaged_manifest_is_none(tmp_path: Path, damage: bytes) -> None:
    run = RunFolder(tmp_path)
    write(run, {"a": 1})
    (run.stage("stage") / "manifest.json").write_bytes(damage)
    assert read_manifest(run.stage("stage")) is None
    assert not run.is_current("stage", {"a": 1})
    with pytest.raises(RunFolderError, match="the stage 'stage' has not been finished"):
        run.manifest("stage")
    write(run, {"a": 1}, "again")
    assert run.is_current("stage", {"a": 1})


def test_an_unfinished_stage_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="the stage 'student' has not been finished"):
        RunFolder(tmp_path).manifest("student")


def _hold(path: Path, held: object, release: object) -> None:
    with RunFolder(path).locked():
        held.set()  # type: ignore[attr-defined]
        release.wait(20)  # type: ignore[attr-defined]


def test_a_run_in_use_by_another_process_is_refused(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path / "run", held, release))
    other.start()
    try:
        assert held.wait(20)
        with (
            pytest.raises(RunFolderError, match="in use by another process"),
            RunFolder(tmp_path / "run").locked(),
        ):
            pass
    finally:
        release.set()
        other.join()
    with RunFolder(tmp_path / "run").locked():
        pass


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("mine")
    with (
        pytest.raises(RunFolderError, match="files that are not a run's"),
        RunFolder(tmp_path).locked(),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    run = RunFolder(tmp_path / "file" / "run")
    with pytest.raises(RunFolderError, match=r"cannot be made \(Not a directory\)"), run.locked():
        pass


def test_a_file_is_refused_as_a_run(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(json.dumps({}))
    with pytest.raises(RunFolderError, match="is a file"), RunFolder(path).locked():
        pass
