"""A log of what was asked and answered, without names, pixels or identifiers. Torch-free."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medistill.core.errors import MedistillError


class AuditError(OSError):
    """A line could not be written; what it was about must not be answered."""


class AuditLog:
    """Appends one JSON line a request: what, when, from where, which bundle, how it went.

    File names, header texts and pixels never reach it; a file is named by its SHA-256, which only
    somebody who holds the very file can relate to it. A line is written whole or taken back.

    Args:
        path: the file to append to; None keeps no log.
        identity: SHA-256 that names the bundle.
        graph: name of the graph that predicts.

    Raises:
        MedistillError: the file cannot be opened.
    """

    def __init__(self, path: Path | None, *, identity: str, graph: str) -> None:
        self._about = {"bundle": identity, "graph": graph}
        self._lock = threading.Lock()
        self._stream: int | None = None
        if path is None:
            return
        try:
            self._stream = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise MedistillError(
                where=path,
                what=f"the audit log cannot be opened ({error.strerror})",
                cure="Choose another place with --audit.",
            ) from error

    def write(
        self,
        *,
        request: str,
        route: str,
        client: str,
        status: int,
        files: Sequence[str] = (),
        labels: Sequence[str | None] = (),
        seconds: float,
    ) -> None:
        """Append one line.

        Args:
            request: random identity of the request.
            route: what was asked for.
            client: network address.
            status: HTTP status of the answer.
            files: SHA-256 of each file.
            labels: what was said of each; None where there was no answer.
            seconds: how long it took.

        Raises:
            AuditError: the disk is full, or the file is gone.
        """
        if self._stream is None:
            return
        line: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request": request,
            "route": route,
            "client": client,
            "status": status,
            "files": list(files),
            "labels": list(labels),
            "seconds": round(seconds, 4),
            **self._about,
        }
        self._append((json.dumps(line, ensure_ascii=False) + "\n").encode())

    def close(self) -> None:
        """Bring everything to the disk."""
        if self._stream is not None:
            os.close(self._stream)
            self._stream = None

    def _append(self, data: bytes) -> None:
        with self._lock:
            if self._stream is None:
                return
            try:
                written = os.write(self._stream, data)
                if written != len(data):
                    # Half a line would spoil the next one.
                    os.ftruncate(self._stream, os.fstat(self._stream).st_size - written)
                    raise OSError(28, "No space left on device")
            except OSError as error:
                reason = error.strerror or str(error)
                raise AuditError(error.errno, reason) from error
