from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from medistill.core.ending import run_program
from medistill.core.errors import DataError

Said = tuple[int, str]


@pytest.fixture
def end(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[Callable[[], object]], Said]]:
    """How a program ends that does this: its exit code and last words."""
    before = signal.getsignal(signal.SIGINT)

    def run(work: Callable[[], object]) -> Said:
        with pytest.raises(SystemExit) as ended:
            run_program(work, "program")
        return int(str(ended.value.code)), capsys.readouterr().err

    yield run
    signal.signal(signal.SIGINT, before)


def wrong() -> NoReturn:
    raise DataError(where="scans", what="there is no image", cure="Give another folder.")


def full() -> NoReturn:
    raise OSError(errno.ENOSPC, "", "scans.bin")


def interrupted() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    Path.cwd()  # a Python call, at which the signal is delivered


@pytest.mark.parametrize(
    ("work", "code", "said"),
    [
        (wrong, 2, "program: scans: there is no image. Give another folder.\n"),
        (full, 2, f"program: scans.bin: {os.strerror(errno.ENOSPC)}. Free space"),
        (interrupted, 130, "program: stopped. Finished stages are kept"),
    ],
)
def test_what_can_be_mended_is_one_message(
    end: Callable[[Callable[[], object]], Said], work: Callable[[], object], code: int, said: str
) -> None:
    found, text = end(work)
    assert found == code
    assert text.startswith(said)
    assert text.count("\n") == 1


def test_a_bug_keeps_its_traceback() -> None:
    def bug() -> NoReturn:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        run_program(bug, "program")
