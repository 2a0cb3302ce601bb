from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from starlette.requests import Request

from medistill.serve.limits import Limits
from medistill.serve.places import FullError, Places
from medistill.serve.uploads import RefusalError, Upload, read_uploads

BOUNDARY = "x-x"


def form(*files: bytes, field: str = "files") -> bytes:
    head = f'Content-Disposition: form-data; name="{field}"; filename="a.png"\r\n\r\n'.encode()
    parts = [b"--x-x\r\n" + head + content + b"\r\n" for content in files]
    return b"".join([*parts, b"--x-x--\r\n"])


def request(
    pieces: Sequence[bytes], *, pause: float = 0.0, gone: bool = False, **headers: str
) -> Request:
    sent = {"content_type": f"multipart/form-data; boundary={BOUNDARY}", **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()]
    left = list(pieces)

    async def receive() -> dict[str, object]:
        await asyncio.sleep(pause)
        if not left and gone:
            return {"type": "http.disconnect"}
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left) or gone}

    return Request({"type": "http", "method": "POST", "headers": raw}, receive)


def read(asked: Request, **limits: float) -> list[Upload]:
    bounds = Limits(**{"upload_mib": 1, "memory_mib": 1, "files": 2, **limits})  # type: ignore[arg-type]
    with Places(bounds.memory_bytes).growing() as memory:
        return asyncio.run(read_uploads(asked, bounds, memory))


def test_files_arrive_whole_whatever_the_pieces() -> None:
    body = form(b"one", b"")
    pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
    assert read(request(pieces)) == [Upload("a.png", b"one"), Upload("a.png", b"")]


@pytest.mark.parametrize("charset", ["", "undefined", "utf-7", "utf-16", "idna", '"x', "latin-1"])
@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (b"+2AA-.png", "+2AA-.png"),
        ("病人.png".encode(), "病人.png"),
        (b"\xfcber.png", "\ufffdber.png"),
        (b"\xed\xa0\x80.png", "\ufffd\ufffd\ufffd.png"),  # a surrogate, as UTF-8 must not hold it
        (b"", "unnamed"),
    ],
)
def test_a_name_is_utf_8_whatever_charset_the_client_chose(
    charset: str, sent: bytes, name: str
) -> None:
    body = form(b"one").replace(b"a.png", sent)
    kind = f"multipart/form-data; charset={charset}; boundary={BOUNDARY}"
    if charset == '"x':  # a quote that is never closed takes the boundary with it
        with pytest.raises(RefusalError, match="cannot be read") as refusal:
            read(request([body], content_type=kind))
        assert refusal.value.status == 400
        return
    assert read(request([body], content_type=kind)) == [Upload(name, b"one")]


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        (request([], content_length=str(2**21)), 413, "larger than 1 MiB"),
        (request([form(b"x" * 2**21)]), 413, "larger than 1 MiB"),
        (request([form(b"1", b"2", b"3")]), 413, "Too many files"),
        (request([b"--x-x--\r\n"]), 422, "holds no file"),
        (request([form(b"1", field="image")]), 422, "in the field 'files'"),
        (request([b"{}"], content_type="application/json"), 415, "multipart/form-data"),
        (request([b""], content_type="multipart/form-data"), 400, "Missing boundary"),
        (request([b""], content_type='multipart/form-data; boundary="a\\"b"'), 400, "a quote"),
        (request([b"nonsense" * 9]), 400, "cannot be read"),
        (request([b"--x-x\r\n"], gone=True), 499, "went away"),
    ],
)
def test_refusals(asked: Request, status: int, words: str) -> None:
    with pytest.raises(RefusalError, match=words) as refusal:
        read(asked)
    assert refusal.value.status == status


def test_a_slow_client_is_cut_off() -> None:
    slow = request([bytes([byte]) for byte in form(b"1")], pause=0.02)
    with pytest.raises(RefusalError, match="longer than 0.1 s") as refusal:
        read(slow, upload_seconds=0.1)
    assert refusal.value.status == 408


def test_memory_is_taken_for_what_arrives_and_held_with_the_files() -> None:
    bounds, body = Limits(upload_mib=1, memory_mib=1), form(b"1")
    places = Places(bounds.memory_bytes)
    with places.growing() as memory:
        asyncio.run(read_uploads(request([body]), bounds, memory))
        assert places.taken == len(body)
    assert places.taken == 0
    rest = places.capacity - len(body) + 1
    with places.held(rest), places.growing() as memory, pytest.raises(FullError):
        asyncio.run(read_uploads(request([body]), bounds, memory))


def test_what_a_client_declares_and_never_sends_takes_no_memory() -> None:
    bounds = Limits(upload_mib=1, memory_mib=1, upload_seconds=0.05)
    places = Places(bounds.memory_bytes)

    async def idle() -> None:
        with places.growing() as memory:
            asked = request([b""] * 9, pause=1, content_length=str(2**20))
            with pytest.raises(RefusalError, match="longer than"):
                await read_uploads(asked, bounds, memory)

    async def all_of_them() -> None:
        clients = [asyncio.create_task(idle()) for _ in range(9)]
        await asyncio.sleep(0.02)
        assert places.taken == 0
        await asyncio.gather(*clients)

    asyncio.run(all_of_them())


def test_a_large_file_never_touches_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file was made")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    monkeypatch.setattr("tempfile._TemporaryFileWrapper", refuse, raising=False)
    content = b"x" * (3 * 2**20)
    asked = request([form(content)])
    assert read(asked, upload_mib=4, memory_mib=4)[0].content == content
