"""Errors that a user can mend: each says where, what and the cure."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Callable, Iterable

#: What a disk says that has no room: full, over the quota, or beyond the largest file allowed.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
#: What a user can mend of an operating system's refusals: room, permissions, a read-only disk.
MENDABLE = NO_ROOM | {errno.EACCES, errno.EPERM, errno.EROFS}


class MedistillError(Exception):
    """A fault in what the user gave, never in medistill itself.

    The command line prints it without a traceback and exits with code 2; a bug is any other
    exception and keeps its traceback.

    Args:
        where: file, recipe key or folder at fault.
        what: what is wrong with it, as a clause without a full stop.
        cure: what the user can do, as one sentence.
    """

    exit_code = 2

    def __init__(self, *, where: object, what: str, cure: str) -> None:
        self.where, self.what, self.cure = str(where), what, cure
        super().__init__(f"{where}: {what.rstrip('.')}. {cure}")

    def at(self, where: object) -> MedistillError:
        """The same fault, of the same kind, at another place."""
        return _rebuilt(type(self), str(where), self.what, self.cure)

    def __reduce__(self) -> tuple[Callable[..., MedistillError], tuple[object, ...]]:
        """Pickle by parts, so that an error crosses from a worker process to its parent."""
        return _rebuilt, (type(self), self.where, self.what, self.cure)


def _rebuilt(kind: type[MedistillError], where: str, what: str, cure: str) -> MedistillError:
    error = kind.__new__(kind)
    MedistillError.__init__(error, where=where, what=what, cure=cure)
    return error


class DataError(MedistillError):
    """Images, labels, groups or parts that cannot be used."""


class RecipeError(MedistillError):
    """A recipe value that is unknown, ill-typed or impossible in combination."""


class WeightsError(MedistillError):
    """A weights file that cannot be trusted or does not fit."""


class TargetsError(MedistillError):
    """Cached targets that belong to another teacher, other data or other preprocessing."""


class RunFolderError(MedistillError):
    """A run folder that is in use, foreign or unfinished."""


class ExportError(MedistillError):
    """An exported graph that does not reproduce the student."""


class BundleError(MedistillError):
    """A bundle that is damaged, foreign or of an unknown schema."""


class MachineError(MedistillError):
    """A device or a launcher of processes that does not allow what was asked for."""


class MissingExtraError(MedistillError):
    """A command whose optional dependencies are not installed.

    Args:
        command: what was asked for.
        extra: name of the extra in pyproject.toml.
    """

    def __init__(self, *, command: str, extra: str) -> None:
        super().__init__(
            where=command,
            what=f"needs the extra '{extra}', which is not installed",
            cure=f"Run: pip install 'medistill[{extra}]'.",
        )


class UnknownNameError(RecipeError):
    """A name that no table of the catalogue holds; suggests the nearest.

    Args:
        where: recipe key or option that holds the name.
        kind: what the name should be, for example ``method``.
        name: the unknown name.
        known: every valid name.
    """

    def __init__(self, *, where: object, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        super().__init__(
            where=where,
            what=f"no {kind} is called '{name}'",
            cure=f"{hint}Known: {', '.join(names)}.",
        )
