"""What every test shares: no outside network, one thread a process, and the real images if any."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")


class OutsideConnectionError(OSError):
    """A test tried to reach another machine."""


def _is_outside(address: object) -> bool:
    """Whether a socket address names another machine; a name counts unless it is localhost."""
    if not isinstance(address, tuple):
        return False
    host = str(address[0])
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host not in {"localhost", ""}


@pytest.fixture(autouse=True)
def _no_outside_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections and look-ups that leave this machine."""
    connect, lookup = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if _is_outside(address):
            raise OutsideConnectionError(f"a test tried to connect to {address}")
        connect(self, address)

    def guarded_lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host is not None and _is_outside((host,)):
            raise OutsideConnectionError(f"a test tried to look up {host}")
        return lookup(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_lookup)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real images, from ``$MEDISTILL_DATA``; skips where there is none."""
    value = os.environ.get("MEDISTILL_DATA")
    if not value or not Path(value).is_dir():
        pytest.skip("MEDISTILL_DATA names no folder of real images")
    return Path(value)
