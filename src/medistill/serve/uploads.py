"""Reads the files of a request within bounds of size, number and time; nothing touches the disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import cached_property

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from medistill.core.files import sha256_bytes
from medistill.serve.limits import Limits
from medistill.serve.places import Growing

FIELD = "files"
#: What nginx calls a request whose client went away; nobody reads it but the metrics.
GONE = 499


class RefusalError(Exception):
    """A request that is answered with an error.

    Args:
        status: of HTTP.
        sentence: what is wrong and how to mend it.
        headers: further headers of the answer.
    """

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        self.status, self.sentence, self.headers = status, sentence, headers or {}
        super().__init__(sentence)


@dataclass(frozen=True)
class Upload:
    """One file of a request.

    Attributes:
        name: as the client calls it; for the answer only, never logged.
        content: its bytes.
    """

    name: str
    content: bytes

    @cached_property
    def sha256(self) -> str:
        """Names the file in the audit log."""
        return sha256_bytes(self.content)


async def read_uploads(
    request: Request, limits: Limits, memory: Growing, *, most: int | None = None
) -> list[Upload]:
    """Read the files of a ``multipart/form-data`` request, each under the field ``files``.

    Args:
        request: the request, its body unread.
        limits: bounds.
        memory: takes a place for every byte as it arrives; they stay taken, for the files do.
        most: files allowed; None for the bound of the limits.

    Raises:
        RefusalError: 408 too slow, 413 too much, 415 or 422 not files, 400 malformed.
        FullError: other requests fill the memory.
    """
    declared = _declared_bytes(request)
    if declared is not None and declared > limits.upload_bytes:
        raise _too_large(limits)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise RefusalError(415, f"Send the images as multipart/form-data, in the field '{FIELD}'.")
    try:
        async with asyncio.timeout(limits.upload_seconds):
            return await _parse(request, limits, memory, most or limits.files)
    except TimeoutError:
        text = f"The upload took longer than {limits.upload_seconds:g} s; send it faster."
        raise RefusalError(408, text, {"Connection": "close"}) from None
    except ClientDisconnect:
        raise RefusalError(GONE, "The client went away.") from None


async def drain(request: Request, seconds: float) -> None:
    """Read and drop the rest of a refused request, so that its client comes to hear the answer.

    A client that asks before it sends (``Expect: 100-continue``) has nothing to be read.

    Args:
        request: refused, its body read in part or not at all.
        seconds: after which the connection is given up.
    """
    if "expect" in request.headers:
        return
    try:
        async with asyncio.timeout(seconds):
            async for _ in request.stream():
                pass
    except (TimeoutError, ClientDisconnect, RuntimeError):  # slow, gone, or read to its end
        return


async def _parse(request: Request, limits: Limits, memory: Growing, most: int) -> list[Upload]:
    body = _bounded(request, limits, memory)
    parser = MultiPartParser(_headers(request), body, max_files=limits.files, max_fields=8)
    # Beyond this size Starlette would write a part to the disk; images stay in memory.
    parser.spool_max_size = limits.upload_bytes + 1
    try:
        form = await parser.parse()
    except (MultiPartException, UnicodeError, KeyError) as error:
        reason = getattr(error, "message", "it is malformed")
        status = 413 if reason.startswith("Too many files") else 400
        raise RefusalError(status, f"The form cannot be read: {reason.rstrip('.')}.") from error
    try:
        parts = [part for part in form.getlist(FIELD) if isinstance(part, UploadFile)]
        uploads = [Upload(_name(part), await part.read()) for part in parts]
    finally:
        await form.close()
    if not uploads:
        raise RefusalError(422, f"The request holds no file; put images in the field '{FIELD}'.")
    if len(uploads) > most:
        raise RefusalError(413, f"{len(uploads)} files are too many; send at most {most}.")
    return uploads


def _headers(request: Request) -> Headers:
    """What the parser needs; latin-1 keeps every byte of a name, whatever charset a client chose.

    Raises:
        RefusalError: 400, the boundary cannot be quoted.
    """
    _, given = parse_options_header(request.headers["content-type"])
    boundary = given.get(b"boundary", b"").decode("latin-1")
    if '"' in boundary or "\\" in boundary:
        raise RefusalError(400, "The form cannot be read: its boundary holds a quote or backslash.")
    options = f'; boundary="{boundary}"; charset=latin-1' if boundary else ""
    return Headers({"content-type": f"multipart/form-data{options}"})


def _name(part: UploadFile) -> str:
    """The file's name as UTF-8, as browsers send it; bytes that are none are replaced."""
    name = (part.filename or "").encode("latin-1").decode("utf-8", errors="replace")
    return name or "unnamed"


async def _bounded(
    request: Request, limits: Limits, memory: Growing
) -> AsyncGenerator[bytes, None]:
    """The body, cut off where it grows beyond the bound, whatever its header declares."""
    received = 0
    async for piece in request.stream():
        received += len(piece)
        if received > limits.upload_bytes:
            raise _too_large(limits)
        memory.take(len(piece))
        yield piece


def _declared_bytes(request: Request) -> int | None:
    """Length that the client announces; None for a body in chunks."""
    value = request.headers.get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() else None


def _too_large(limits: Limits) -> RefusalError:
    text = f"The upload is larger than {limits.upload_mib} MiB; send less at once."
    return RefusalError(413, text)
