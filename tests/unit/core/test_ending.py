from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import torch

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


def crowded() -> NoReturn:
    raise MemoryError


def crowded_processor() -> None:
    torch.empty(2**60)


def crowded_gpu() -> NoReturn:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has\nmore")


def filled_by_others() -> NoReturn:
    raise RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later")


def interrupted() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    Path.cwd()  # a Python call, at which the signal is delivered


def interrupted_while_writing() -> None:
    try:
        interrupted()
    finally:
        raise RuntimeError("unexpected pos 28673856 vs 28673748")  # as torch's archives do


@pytest.mark.parametrize(
    ("work", "code", "said"),
    [
        (wrong, 2, "program: scans: there is no image. Give another folder.\n"),
        (full, 2, f"program: scans.bin: {os.strerror(errno.ENOSPC)}. Free space"),
        (crowded, 2, "program: the memory is full. Take smaller batches (train.batch_size"),
        (crowded_processor, 2, "program: the memory is full ([enforce fail at alloc_cpu"),
        (crowded_gpu, 2, "program: the memory is full (CUDA out of memory. Tried to allocate 2.00"),
        (filled_by_others, 2, "program: the memory is full (CUDA error: out of memory). Take"),
        (interrupted, 130, "program: stopped. Finished stages are kept"),
        (interrupted_while_writing, 130, "program: stopped. Finished stages are kept"),
    ],
)
def test_what_can_be_mended_is_one_message(
    end: Callable[[Callable[[], object]], Said], work: Callable[[], object], code: int, said: str
) -> None:
    found, text = end(work)
    assert found == code
    assert text.startswith(said)
    assert text.count("\n") == 1


@pytest.mark.parametrize("kind", [ValueError, RuntimeError])
def test_a_bug_keeps_its_traceback(kind: type[Exception]) -> None:
    def bug() -> NoReturn:
        raise kind("a bug")

    with pytest.raises(kind, match="a bug"):
        run_program(bug, "program")
