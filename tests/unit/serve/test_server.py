from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from medistill.core.errors import MedistillError
from medistill.serve.server import bind
from tests.unit.bundle.handmade import document, write_bundle
from tests.unit.serve.serving import (
    SRC,
    explaining_bundle,
    maps_graph,
    png,
    resident_kib,
    running,
)
from tests.unit.serve.test_uploads import form


def test_two_servers_on_one_port_is_one_sentence() -> None:
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(MedistillError, match=f"127.0.0.1:{port}: another program listens"):
            bind("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(MedistillError, match="cannot be listened on"):
        bind("192.0.2.1", 0)


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    bundle = explaining_bundle(tmp_path_factory.mktemp("served") / "b")
    with running(bundle, "--upload-seconds", "1", "--upload-mib", "2") as found:
        yield found


@pytest.fixture
def address(served: tuple[str, subprocess.Popen[str]]) -> str:
    return served[0]


@pytest.fixture
def process(served: tuple[str, subprocess.Popen[str]]) -> subprocess.Popen[str]:
    return served[1]


def ask(address: str, body: bytes) -> tuple[int, dict[str, object]]:
    kind = "multipart/form-data; boundary=x-x"
    request = urllib.request.Request(
        f"{address}/v1/predict", data=body, headers={"Content-Type": kind}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def connect(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


HEAD = (
    b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"
    b"Content-Type: multipart/form-data; boundary=x-x\r\n\r\n"
)


def test_a_client_that_hangs_up_harms_nobody(address: str) -> None:
    for _ in range(20):
        with connect(address) as gone:
            gone.sendall(HEAD % 5000 + b"--x-x\r\n")
    assert ask(address, form(png()))[0] == 200


def test_a_client_that_sends_one_byte_at_a_time_is_told_and_cut_off(address: str) -> None:
    with connect(address) as slow:
        slow.sendall(HEAD % 5000)
        with contextlib.suppress(OSError):
            for byte in form(png())[:6]:
                slow.sendall(bytes([byte]))
                assert ask(address, form(png()))[0] == 200  # the others are served meanwhile
                time.sleep(0.3)
        said = slow.recv(4096)
    assert b"408" in said
    assert b"took longer than 1 s" in said


def test_an_upload_beyond_the_bound_is_refused_by_its_header(address: str) -> None:
    with connect(address) as large:
        large.sendall(HEAD % 500_000_000)
        assert b"413" in large.recv(4096)
    assert ask(address, form(b"x" * (3 * 2**20)))[0] == 413
    assert ask(address, form(png()))[0] == 200


def test_what_was_accepted_is_answered_after_sigterm(tmp_path: Path) -> None:
    bundle = explaining_bundle(tmp_path / "b")
    with running(bundle) as (address, process):
        body = form(png(0, (4000, 4000)))  # takes long enough to be caught inside
        found: list[int] = []
        clients = [
            threading.Thread(target=lambda: found.append(ask(address, body)[0])) for _ in range(6)
        ]
        for client in clients:
            client.start()
        inside = b""
        while b"medistill_inside_images 0.0" in inside or not inside:
            inside = urllib.request.urlopen(f"{address}/metrics", timeout=20).read()
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        for client in clients:
            client.join(60)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert "everything that was accepted is answered" in process.stderr.read()
        with pytest.raises(OSError, match="refused"):
            connect(address)
    assert found == [200] * 6


def _ask_until_refused(address: str, body: bytes, found: list[int | str]) -> None:
    """Keep asking; the status of every answer, and at the end how the service stayed away."""
    while not found or isinstance(found[-1], int):
        try:
            found.append(ask(address, body)[0])
        except urllib.error.URLError as error:
            found.append(type(error.reason).__name__)
        except (ConnectionError, http.client.RemoteDisconnected) as error:
            found.append(type(error).__name__)


def test_sigterm_under_load_cuts_no_answer_short(tmp_path: Path) -> None:
    with running(explaining_bundle(tmp_path / "b"), "--queue", 40) as (address, process):
        body = form(png(0, (600, 600)))
        found: list[list[int | str]] = [[] for _ in range(50)]
        clients = [
            threading.Thread(target=_ask_until_refused, args=(address, body, each))
            for each in found
        ]
        for client in clients:
            client.start()
        while not all(found):
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        for client in clients:
            client.join(60)
        assert process.wait(30) == 0
        assert process.stderr is not None
        said = process.stderr.read()
    assert "everything that was accepted is answered" in said
    assert "Traceback" not in said
    assert {status for each in found for status in each[:-1]} <= {200, 429}
    # Never half an answer, which would be an IncompleteRead or a JSONDecodeError.
    refused = {"ConnectionRefusedError", "ConnectionResetError", "RemoteDisconnected"}
    assert {each[-1] for each in found} <= refused


def test_500_megabytes_without_a_declared_length_are_cut_off_and_never_held(
    address: str, process: subprocess.Popen[str]
) -> None:
    before, piece = resident_kib(process.pid), bytes(2**20)
    head = (HEAD % 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with connect(address) as large:
        large.sendall(head)
        with contextlib.suppress(OSError):
            opening = form(b"").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            large.sendall(b"%x\r\n" % len(opening) + opening + b"\r\n")
            for _ in range(500):
                large.sendall(b"%x\r\n" % len(piece) + piece + b"\r\n")
            large.sendall(b"0\r\n\r\n")
        said = large.recv(4096)
        while b"MiB" not in said and (more := large.recv(4096)):
            said += more  # head and body may come in two pieces
    assert b"413" in said
    assert b"larger than 2 MiB" in said
    assert resident_kib(process.pid) - before < 50_000
    assert ask(address, form(png()))[0] == 200


def test_a_full_disk_below_the_audit_log_is_507_and_nothing_is_answered(tmp_path: Path) -> None:
    with running(explaining_bundle(tmp_path / "b"), "--audit", "/dev/full") as (address, _):
        status, said = ask(address, form(png()))
        assert (status, "results" in said) == (507, False)
        assert "cannot write" in str(said["detail"])
        assert urllib.request.urlopen(f"{address}/health", timeout=20).status == 200


@pytest.mark.parametrize("damage", ["changed", "newer", "foreign"])
def test_a_bundle_that_cannot_be_trusted_is_never_served(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "b"
    if damage == "newer":
        graph = maps_graph()
        write_bundle(folder, graph, document(graph, schema=99))
    elif damage == "changed":
        explaining_bundle(folder)
        (folder / "student.onnx").write_bytes(b"x" + maps_graph()[1:])
    else:
        folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "medistill", "serve", str(folder), "--port", "0"],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    words = {
        "changed": "has been changed",
        "newer": "schema version 99",
        "foreign": "no bundle.json",
    }
    assert done.returncode == 2
    assert words[damage] in done.stderr
    assert "Traceback" not in done.stderr
