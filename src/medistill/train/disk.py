"""A disk that refuses, told as one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medistill.core.errors import RunFolderError


@contextmanager
def told_if_refused(path: Path) -> Iterator[None]:
    """Turn a refusal to write ``path`` into a message for the user.

    Raises:
        RunFolderError: the disk is full, read-only or gone; what it was asked to replace stays.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        cause = _disk_error(error)
        if cause is None:
            raise
        raise RunFolderError(
            where=path,
            what=f"cannot be written: {os.strerror(cause.errno) if cause.errno else cause}",
            cure="Free space or mend the permissions, then run again; finished epochs are kept.",
        ) from error


def _disk_error(error: BaseException | None) -> OSError | None:
    """The disk's own word; ``torch.save`` buries it under a RuntimeError about positions."""
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return error
