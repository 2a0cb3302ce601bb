"""Opens a bundle, as a folder or a zip, and verifies every byte of it. Torch-free."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from medistill.bundle.decoding import FormError
from medistill.bundle.schema import (
    FORMAT,
    MANIFEST,
    READABLE,
    SCHEMA,
    Graph,
    Manifest,
    identity_of,
    manifest_from_json,
)
from medistill.core.errors import BundleError, MedistillError, UnknownNameError
from medistill.core.files import sha256_bytes

_MANIFEST_LIMIT = 16 * 2**20
# No ONNX file is larger.
_FILE_LIMIT = 2**31
_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)
_AGAIN = "Export it again, or copy it again from where it was published."


class _Container(Protocol):
    """Where the files of a bundle lie."""

    def size(self, name: str) -> int | None:
        """Bytes of a file; None where there is none."""

    def read(self, name: str) -> bytes:
        """Its content."""


@dataclass(frozen=True)
class _Folder:
    path: Path

    def size(self, name: str) -> int | None:
        file = self.path / name
        return file.stat().st_size if file.is_file() else None

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()


@dataclass(frozen=True)
class _Zip:
    """Read in place; nothing is unpacked, so no entry can be written outside a folder."""

    path: Path
    prefix: str

    def size(self, name: str) -> int | None:
        with zipfile.ZipFile(self.path) as archive:
            if self.prefix + name not in archive.NameToInfo:
                return None
            return self._entry(archive, name).file_size

    def read(self, name: str) -> bytes:
        with zipfile.ZipFile(self.path) as archive:
            return archive.read(self._entry(archive, name))

    def _entry(self, archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
        """An entry that cannot grow when it is read: stored, and no longer than the zip is."""
        entry = archive.getinfo(self.prefix + name)
        if entry.compress_type != zipfile.ZIP_STORED:
            cure = "Unpack it and give the folder, or give the zip that 'medistill export' wrote."
            raise BundleError(where=self.path, what=f"its file '{name}' is compressed", cure=cure)
        if entry.file_size > self.path.stat().st_size:
            what = f"its file '{name}' claims to be larger than the zip"
            raise BundleError(where=self.path, what=what, cure=_AGAIN)
        return entry


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files were verified when it was opened.

    Attributes:
        path: the folder or zip file.
        manifest: what ``bundle.json`` says.
        identity: SHA-256 that names this bundle and no other.
    """

    path: Path
    manifest: Manifest
    identity: str
    container: _Container

    def graph(self, name: str | None = None) -> Graph:
        """A graph by name; the default one without.

        Raises:
            UnknownNameError: there is none of this name.
        """
        known = [graph.name for graph in self.manifest.graphs]
        if name is not None and name not in known:
            raise UnknownNameError(where=self.path, kind="graph", name=name, known=known)
        return self.manifest.graph(name)

    def read(self, name: str) -> bytes:
        """Content of a listed file, verified again as it is read.

        Raises:
            BundleError: the file is missing, has been changed, or is too large.
        """
        record = self.manifest.files[name]
        if record.size > _FILE_LIMIT:
            what = f"the file '{name}' is said to hold {record.size:,} bytes, more than 2 GiB"
            raise BundleError(where=self.path, what=what, cure=_AGAIN)
        # The size first: a file that was swapped for a huge one is never loaded.
        found = _guarded(self.path, lambda: self.container.size(name))
        if found is None:
            raise BundleError(where=self.path, what=f"the file '{name}' is missing", cure=_AGAIN)
        if found == record.size:
            content = _guarded(self.path, lambda: self.container.read(name))
            if sha256_bytes(content) == record.sha256:
                return bytes(content)
        raise BundleError(
            where=self.path,
            what=f"the file '{name}' has been changed since the export (its SHA-256 differs)",
            cure=_AGAIN,
        )


def open_bundle(path: Path) -> Bundle:
    """Open a bundle and verify its schema and the hash of every file.

    Args:
        path: the folder that export wrote, or the zip of it.

    Raises:
        BundleError: it is missing, is no bundle, is damaged, or has a newer schema.
    """
    container = _container(path)
    document = _document(path, container)
    _check_version(path, document)
    bundle = Bundle(
        path=path,
        manifest=_manifest(path, document),
        identity=str(document.get("identity")),
        container=container,
    )
    for name in bundle.manifest.files:
        bundle.read(name)
    return bundle


def _container(path: Path) -> _Container:
    if path.is_dir():
        return _Folder(path)
    if not path.exists():
        raise BundleError(
            where=path, what="there is no such bundle", cure="Check the path for a typing error."
        )
    return _guarded(path, lambda: _open_zip(path))  # type: ignore[no-any-return]


def _open_zip(path: Path) -> _Zip:
    if not zipfile.is_zipfile(path):
        raise _not_a_bundle(path, "it is neither a folder nor a zip file")
    with zipfile.ZipFile(path) as archive:
        found = [name for name in archive.namelist() if name.split("/")[-1] == MANIFEST]
    # At the top, or in the one folder that zip tools put around it.
    shallow = sorted((name for name in found if name.count("/") <= 1), key=len)
    if not shallow:
        raise _not_a_bundle(path, f"it holds no {MANIFEST}")
    return _Zip(path, shallow[0].removesuffix(MANIFEST))


def _document(path: Path, container: _Container) -> Mapping[str, Any]:
    size = _guarded(path, lambda: container.size(MANIFEST))
    if size is None or size > _MANIFEST_LIMIT:
        raise _not_a_bundle(path, f"it holds no {MANIFEST}" if size is None else "it is too large")
    content = _guarded(path, lambda: container.read(MANIFEST))
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(
            where=path, what=f"its {MANIFEST} is damaged ({error})", cure=_AGAIN
        ) from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise _not_a_bundle(path, f"its {MANIFEST} was not written by medistill")
    return value


def _check_version(path: Path, document: Mapping[str, Any]) -> None:
    version: Any = document.get("schema")
    # By type, since True equals 1.
    proper = type(version) is int
    if proper and version > SCHEMA:
        raise BundleError(
            where=path,
            what=f"has schema version {version}; this medistill reads up to version {SCHEMA}",
            cure="Update medistill: pip install --upgrade medistill.",
        )
    if not proper or version not in READABLE:
        raise _damaged(path, f"schema is {version!r}, not {SCHEMA}")
    if document.get("identity") != identity_of(document):
        raise BundleError(
            where=path,
            what=f"the file '{MANIFEST}' has been changed since the export",
            cure=_AGAIN,
        )


def _manifest(path: Path, document: Mapping[str, Any]) -> Manifest:
    try:
        return manifest_from_json(document)
    except FormError as error:
        raise _damaged(path, str(error)) from error
    except (ValueError, MedistillError) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, what: str) -> BundleError:
    return BundleError(where=path, what=f"its {MANIFEST} is not valid: {what}", cure=_AGAIN)


def _not_a_bundle(path: Path, why: str) -> BundleError:
    return BundleError(
        where=path,
        what=f"is not a bundle: {why}",
        cure="Give the folder or zip that 'medistill export' wrote.",
    )


def _guarded(path: Path, read: Any) -> Any:
    """Run a read; what the disk or the zip finds wrong becomes an error that names the bundle."""
    try:
        return read()
    except _ZIP_FAULTS as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise BundleError(where=path, what=f"cannot be read ({reason})", cure=_AGAIN) from error
