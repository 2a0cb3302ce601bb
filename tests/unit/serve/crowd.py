"""Many clients at once, each with its own connection; light, so that the server is measured."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.unit.serve.test_uploads import form

HEAD = (
    "POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n"
    "Content-Type: multipart/form-data; boundary=x-x\r\n\r\n"
)


@dataclass
class Heard:
    """What all clients heard.

    Attributes:
        said: answers by status.
        answers: for each picture every distinct list of probabilities that was said of it.
        finished: answers (200) of each client.
        waits: seconds of each Retry-After.
    """

    said: Counter[int] = field(default_factory=Counter)
    answers: dict[int, set[tuple[float, ...]]] = field(default_factory=dict)
    finished: Counter[int] = field(default_factory=Counter)
    waits: Counter[int] = field(default_factory=Counter)


async def visit(port: int, pictures: Sequence[bytes], *, clients: int, seconds: float) -> Heard:
    """Let clients ask for a while; whoever was sent away comes back until it is answered."""
    requests = [HEAD.format(len(body)).encode() + body for body in map(form, pictures)]
    heard, until = Heard(), time.monotonic() + seconds
    await asyncio.gather(*(_client(n, port, requests, until, heard) for n in range(clients)))
    return heard


async def _client(
    number: int, port: int, requests: Sequence[bytes], until: float, heard: Heard
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    place = number
    while time.monotonic() < until:
        place = (place + 1) % len(requests)
        while True:
            writer.write(requests[place])
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            body = await reader.readexactly(_number(head, "content-length"))
            status = int(head.split(" ", 2)[1])
            heard.said[status] += 1
            if status != 429:
                break
            heard.waits[_number(head, "retry-after")] += 1
            await asyncio.sleep(_number(head, "retry-after"))
        if status == 200:
            heard.finished[number] += 1
            values = json.loads(body)["results"][0]["probabilities"].values()
            heard.answers.setdefault(place, set()).add(tuple(values))
    writer.close()
    await writer.wait_closed()


def _number(head: str, name: str) -> int:
    return int(head.split(f"{name}: ")[1].split("\r\n")[0])
