from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from medistill.serve import server
from medistill.serve.places import LONGEST_WAIT
from tests.unit.serve.serving import explaining_bundle, png, running
from tests.unit.serve.test_server import ask, connect
from tests.unit.serve.test_uploads import form


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    bundle = explaining_bundle(tmp_path_factory.mktemp("patience") / "b")
    with running(bundle, "--upload-seconds", "1") as (found, _):
        yield found


def test_a_head_of_one_byte_at_a_time_is_answered_408_and_cut_off(address: str) -> None:
    with connect(address) as slow:
        started = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in b"GET /health HTTP/1.1":
                slow.sendall(bytes([byte]))
                time.sleep(0.1)
        said = slow.recv(4096)
    assert said.startswith(b"HTTP/1.1 408")
    assert b"took longer than 1 s" in said
    assert time.monotonic() - started < 20
    assert ask(address, form(png()))[0] == 200


def test_a_second_head_on_the_same_connection_has_the_same_time(address: str) -> None:
    with connect(address) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        said = b""
        while b'"ok"' not in said:
            said += client.recv(4096)
        client.sendall(b"GET /hea")
        assert client.recv(4096).startswith(b"HTTP/1.1 408")


def test_a_client_that_stays_away_as_it_is_told_finds_its_connection_open() -> None:
    assert server._KEEP_ALIVE > LONGEST_WAIT


def test_a_connection_that_says_nothing_is_cut_off(address: str) -> None:
    with connect(address) as silent:
        assert silent.recv(4096).startswith(b"HTTP/1.1 408")
