"""How a program ends: what a user can mend is one message and an exit code, a bug a traceback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from medistill.core.errors import MENDABLE, MedistillError

_MEND = "Free space or mend the permissions, then run it again; finished stages are kept."
# What full memory is called: by Python, by a GPU's allocator, and by torch's on a processor; and by
# a driver whose GPU others have filled.
_FULL_NAMES = frozenset({"MemoryError", "OutOfMemoryError"})
_FULL_WORDS = ("can't allocate memory", "error: out of memory")
_LESS = (
    "Take smaller batches (train.batch_size, teacher.fit.batch_size; predict --batch-size) or "
    "fewer data.workers; 'medistill run --dry-run' tells what a run needs. Finished stages are "
    "kept."
)


class _StoppedError(BaseException):
    """Ctrl-C; not an Exception, so that nothing on the way takes it for a fault."""


def run_program(work: Callable[[], object], name: str) -> None:
    """Do a program's work from start to end.

    Args:
        work: all of it.
        name: of the program, before its last message.

    Raises:
        SystemExit: 2 for a fault in what the user gave, a disk that refuses or memory that is full,
            130 for Ctrl-C; the message is on standard error.
    """
    signal.signal(signal.SIGINT, _stop)
    try:
        _work(work)
    except MedistillError as error:
        _complain(name, str(error), error.exit_code)
    except OSError as error:
        if error.errno not in MENDABLE:
            raise
        where = f"{error.filename}: " if error.filename else ""
        what = os.strerror(error.errno)
        _complain(name, f"{where}{what}. {_MEND}", MedistillError.exit_code)
    except (MemoryError, RuntimeError) as error:
        if not _is_full(error):
            raise
        said = (str(error).splitlines() or [""])[0].rstrip(". ")
        reason = f" ({said})" if said else ""
        _complain(name, f"the memory is full{reason}. {_LESS}", MedistillError.exit_code)
    except _StoppedError:
        _complain(name, "stopped. Finished stages are kept; run it again to go on.", 130)


def _work(work: Callable[[], object]) -> None:
    """Do it; what fails because it was stopped, as a file that torch was writing, was stopped."""
    try:
        work()
    except Exception as error:
        if _follows_stop(error):
            raise _StoppedError from error
        raise


def _follows_stop(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, _StoppedError):
        error = error.__context__
    return error is not None


def _is_full(error: Exception) -> bool:
    """By name, since this package knows no torch."""
    return type(error).__name__ in _FULL_NAMES or any(words in str(error) for words in _FULL_WORDS)


def _stop(signum: int, frame: object) -> NoReturn:
    raise _StoppedError


def _complain(name: str, text: str, code: int) -> NoReturn:
    sys.stderr.write(f"{name}: {text}\n")
    sys.exit(code)
