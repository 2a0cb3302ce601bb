"""Hashes and atomic writes: a reader never sees half a file."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

# Name, process and thread: see temporary_beside.
_TORN = re.compile(r"\..+\.\d+\.\d+", re.DOTALL)


def sha256_bytes(*parts: bytes | memoryview) -> str:
    """Hexadecimal SHA-256 of bytes, of several parts as of all together."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_json(value: object) -> str:
    """Hash of a JSON value, independent of key order."""
    return sha256_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def temporary_beside(path: Path) -> Path:
    """Where this thread writes what ``path`` shall become; :func:`remove_torn` knows the name."""
    return path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")


def remove_torn(paths: Iterable[Path]) -> None:
    """Remove those of some files and folders that a process which was killed had begun to write.

    Only for places where no other process writes.
    """
    for found in [path for path in paths if _TORN.fullmatch(path.name)]:
        if found.is_dir():
            shutil.rmtree(found, ignore_errors=True)
        else:
            found.unlink(missing_ok=True)


@contextmanager
def atomic_file(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that replaces it when the block ends without error.

    A kill at any moment leaves the old file or the new.

    Args:
        path: the file.
        durable: the data are on disk before the rename, so that a power cut does no harm either;
            to wait for a disk costs from milliseconds to seconds.
    """
    temporary = temporary_beside(path)
    try:
        with temporary.open("wb") as stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``folder`` that takes its place when the block succeeds.

    A block that fails leaves ``folder`` as it was. A kill leaves the old folder or the new, the old
    one under another name at worst, which the next call puts back.
    """
    staging, old = (folder.with_name(f".{folder.name}.{word}") for word in ("partial", "old"))
    if old.exists() and not folder.exists():
        old.rename(folder)
    for leftover in (staging, old):
        shutil.rmtree(leftover, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        yield staging
        if folder.exists():
            folder.rename(old)
        try:
            staging.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file atomically, as :func:`atomic_file`."""
    with atomic_file(path, durable=durable) as stream:
        stream.write(data)


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write UTF-8 text atomically, as :func:`atomic_file`."""
    write_bytes(path, text.encode(), durable=durable)


def write_json(path: Path, value: object) -> None:
    """Write readable JSON atomically; NaN is refused, since JSON has none."""
    encoder = json.JSONEncoder(indent=2, ensure_ascii=False, allow_nan=False)
    # Piece by piece: the list of a whole document's pieces is several times as large as its text.
    with atomic_file(path) as stream:
        for piece in encoder.iterencode(value):
            stream.write(piece.encode())
        stream.write(b"\n")


def write_long_json(path: Path, value: Mapping[str, Any], **rows: Iterable[Any]) -> None:
    """Write a JSON object that ends in a long list, an element a line: a fifth of the time.

    Args:
        path: the file.
        value: the object without the list.
        rows: the list, by its key.
    """
    (key, elements), *_ = rows.items()
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
    with atomic_file(path) as stream:
        stream.write(encoder.encode({**value, key: []})[:-2].encode())
        for number, element in enumerate(elements):
            stream.write((",\n" if number else "\n").encode() + encoder.encode(element).encode())
        stream.write(b"\n]}\n")


def read_json(path: Path) -> Mapping[str, Any]:
    """Read a JSON object."""
    value: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value
