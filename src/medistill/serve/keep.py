"""Keeps uploads, only where the operator asks for it. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from medistill.core.errors import MedistillError
from medistill.core.files import write_bytes
from medistill.serve.uploads import Upload


class Keeper:
    """Writes uploads below a folder, each under its SHA-256, so that one is never kept twice.

    Args:
        folder: an existing folder; None keeps nothing.

    Raises:
        MedistillError: there is no such folder.
    """

    def __init__(self, folder: Path | None) -> None:
        if folder is not None and not folder.is_dir():
            raise MedistillError(
                where=folder, what="there is no such folder", cure="Create it, or drop --keep."
            )
        self.folder = folder

    def keep(self, uploads: Iterable[Upload]) -> None:
        """Write what is not there yet.

        Raises:
            OSError: the disk is full or the folder is gone.
        """
        if self.folder is None:
            return
        for upload in uploads:
            path = self.folder / upload.sha256
            if not path.exists():
                write_bytes(path, upload.content)
