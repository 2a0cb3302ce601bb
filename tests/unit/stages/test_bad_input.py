"""What a user may get wrong: one message, exit code 2, and finished stages stay usable."""

from __future__ import annotations

import errno
import os
import pickle
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from medistill import cli
from medistill.core.run_folder import RunFolder
from tests.unit.stages.conftest import SMALL

TINY = (
    *(value for value in SMALL if not value.startswith("data.")),
    *("data.workers=0", "data.stored_size=32", "data.unlabelled=null", "data.layout=null"),
    *("teacher.members=1", "teacher.cross_fit=false", "train.epochs=1"),
)
Said = tuple[int, str]
Say = Callable[..., Said]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Say]:
    """Runs a command in this process: its exit code and what it printed of its faults."""
    before = signal.getsignal(signal.SIGINT)

    def run(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["medistill", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(str(ended.value.code)), capsys.readouterr().err

    yield run
    signal.signal(signal.SIGINT, before)


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (32, 32), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def folders(root: Path, **counts: int) -> Path:
    """Class folders, or 'part/class' folders, of so many pictures."""
    for number, (name, count) in enumerate(counts.items()):
        for image in range(count):
            picture(root / name.replace("_", "/") / f"{image}.png", 1000 * number + image)
    return root


def refused(said: Said, *words: str) -> None:
    code, text = said
    message = text.strip().splitlines()[-1]
    assert code == 2, text
    assert message.startswith("medistill: ")
    for word in words:
        assert word in message
    assert "Traceback" not in text


def test_images_that_cannot_be_used(say: Say, tmp_path: Path) -> None:
    def run(data: Path, *overrides: str) -> Said:
        out = tmp_path / f"run-{data.name}"
        return say("run", "demo", "--data", str(data), "--out", str(out), *TINY, *overrides)

    refused(run(folders(tmp_path / "one", ill=9)), "holds only the class 'ill'")
    parts = folders(tmp_path / "parts", train_ill=20, train_well=20, test_ill=5)
    refused(run(parts), "part 'evaluate' has not an image of class 'well'")
    few = folders(tmp_path / "few", ill=3, well=20)
    refused(run(few, "data.folds=5"), "'ill'", "3 groups", "5 folds")
    torn = folders(tmp_path / "torn", ill=20, well=20)
    whole = (torn / "ill/3.png").read_bytes()
    (torn / "ill/3.png").write_bytes(whole[: len(whole) // 2])
    (torn / "well/1.png").write_text("no picture")
    refused(run(torn), "2 of 40 images cannot be read", "ill/3.png is damaged", "well/1.png is not")


def test_unreadable_images_are_left_out_only_where_the_user_says_so(
    say: Say, tmp_path: Path
) -> None:
    torn = folders(tmp_path / "torn", ill=20, well=20)
    (torn / "ill/3.png").write_text("no picture")
    out = tmp_path / "run"
    words = ("teach", "demo", "--data", str(torn), "--out", str(out), *TINY)
    refused(say(*words), "1 of 40 images cannot be read", "skip_unreadable")
    code, text = say(*words, "data.skip_unreadable=true")
    assert code == 0, text
    assert "left out: ill/3.png" in text
    assert (out / "teacher/manifest.json").is_file()


def test_weights_that_cannot_be_used(say: Say, finished: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    shutil.rmtree(run / "teacher")
    before = RunFolder(run).manifest("data")

    def teach(path: Path) -> Said:
        return say("teach", "demo", "--out", str(run), *SMALL, f"teacher.weights={path}")

    evil = tmp_path / "evil.pt"
    evil.write_bytes(pickle.dumps({"weight": print}))
    refused(teach(evil), "is a pickle that would run code when opened")
    other = tmp_path / "other.pt"
    torch.save({"cls_token": torch.zeros(1, 1, 99), "mine": torch.zeros(2)}, other)
    refused(teach(other), "does not fit the model", "unexpected (mine)", "cls_token (1, 1, 99)")
    assert RunFolder(run).manifest("data") == before


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process may become larger: as a disk without room answers."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_while_targets_are_cached(say: Say, finished: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    for stage in ("targets", "seed-0/student"):
        shutil.rmtree(run / stage)
    kept = {path: path.stat().st_mtime_ns for path in run.rglob("manifest.json")}
    with largest_file(2000):
        refused(say("distill", str(run)), "the disk is full after 0 of 1 shards", "run again")
    code, text = say("distill", str(run))
    assert code == 0, text
    assert (run / "seed-0/student/manifest.json").is_file()
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())


def test_a_full_disk_elsewhere(say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "run/evaluation/report.html")

    monkeypatch.setattr("medistill.stages.run.run", full)
    said = say("run", "demo", "--out", str(tmp_path / "run"))
    refused(said, "run/evaluation/report.html: No space left on device. Free space")


def test_a_run_that_is_in_use(say: Say, finished: Path) -> None:
    with RunFolder(finished).locked():
        refused(say("distill", str(finished)), "the run is in use by another process")
    code, text = say("distill", str(finished))
    assert code == 0, text
