"""Which files lie below a folder: hidden ones are left out, and links to folders are followed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from medistill.core.errors import DataError
from medistill.imaging.reader import is_image_name
from medistill.imaging.sniff import is_dicom_file

#: Device and inode: what a folder is, whatever path leads to it.
Place = tuple[int, int]
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def images_below(folder: Path) -> list[Path]:
    """Image files at any depth, sorted: by their ending, and DICOM of any name.

    Raises:
        DataError: as of :func:`found_below`.
    """
    return found_below(folder, is_image_file)


def images_in(folder: Path) -> list[Path]:
    """Image files directly in a folder, sorted.

    Raises:
        DataError: the folder cannot be listed.
    """
    entries = _entries(folder)
    return [Path(e.path) for e in entries if _is_file(e) and is_image_file(Path(e.path))]


def found_below(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """Wanted files at any depth, sorted.

    Args:
        folder: where to look.
        wanted: whether a file is.

    Raises:
        DataError: a folder cannot be listed, or a wanted file's name is not UTF-8.
    """
    found = sorted(path for path in files_below(folder) if wanted(path))
    for path in found:
        refuse_unreadable_name(path)
    return found


def files_below(folder: Path) -> Iterator[Path]:
    """Files at any depth: regular ones, and links that lead nowhere.

    Pipes and sockets are none, since whoever opens them waits. Whoever opens a broken link says so.

    Raises:
        DataError: a folder cannot be listed.
    """
    return _files_below(folder, _Walk(folder))


def archives_below(folder: Path) -> list[Path]:
    """Packed files at any depth, sorted: what they hold is not read.

    Raises:
        DataError: a folder cannot be listed.
    """
    return sorted(filter(is_archive, files_below(folder)))


def is_archive(path: Path) -> bool:
    """Whether a file has the ending of an archive."""
    return path.name.lower().endswith(_ARCHIVES)


def subfolders(root: Path) -> list[Path]:
    """Subfolders of a folder, sorted by name, without hidden ones and ``__...``.

    Raises:
        DataError: there is no such folder, or it is a file.
    """
    if not root.is_dir():
        raise DataError(
            where=root,
            what="is a file, a folder is expected" if root.exists() else "there is no such folder",
            cure="Check the path.",
        )
    walk = _Walk(root)
    return [Path(entry.path) for entry in _entries(root) if walk.enters(entry)]


def is_image_file(path: Path) -> bool:
    """Whether a file has an image's ending, or is DICOM of any name."""
    return is_image_name(path.name) or is_dicom_file(path)


def refuse_unreadable_name(path: Path) -> None:
    """Refuse a path that no table or report could hold.

    Raises:
        DataError: its bytes are not UTF-8.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        raise DataError(
            where=shown,
            what="this name is not UTF-8, so that no table can list it",
            cure="Rename it (from Chinese Windows: convmv -f gbk -t utf-8 --notest NAME).",
        ) from None


class _Walk:
    """Which folders are entered: each once, and through links those that lie elsewhere alone.

    Args:
        root: where the walk begins. What lies below it is listed without any link to it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._seen = set(_above(root))

    def enters(self, entry: os.DirEntry[str]) -> bool:
        """Whether it is a folder that has to be gone into."""
        if entry.name.startswith("__"):
            return False
        if not entry.is_symlink():
            return entry.is_dir()
        path = Path(entry.path)
        place = _place(path)
        if not path.is_dir() or place in self._seen or path.resolve().is_relative_to(self._root):
            return False
        self._seen.add(place)
        return True


def _files_below(folder: Path, walk: _Walk) -> Iterator[Path]:
    for entry in _entries(folder):
        if walk.enters(entry):
            yield from _files_below(Path(entry.path), walk)
        elif _is_file(entry):
            yield Path(entry.path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, sorted by name, without what is hidden."""
    try:
        with os.scandir(folder) as entries:
            held = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        what, cure = f"cannot be listed ({error.strerror})", "Check the path and its rights."
        raise DataError(where=folder, what=what, cure=cure) from error
    return sorted(held, key=lambda entry: entry.name)


def _is_file(entry: os.DirEntry[str]) -> bool:
    if not entry.is_symlink():
        return entry.is_file()
    path = Path(entry.path)
    return path.is_file() or not path.exists()


def _above(folder: Path) -> frozenset[Place]:
    """The folders that hold a folder, by its path and by what its links mean."""
    parents = {*Path(os.path.abspath(folder)).parents, *folder.resolve().parents}  # noqa: PTH100
    return frozenset(_place(path) for path in parents if path.is_dir())


def _place(folder: Path) -> Place:
    try:
        status = folder.stat()
    except OSError:
        return (-1, -1)  # whoever lists it says why
    return status.st_dev, status.st_ino
