"""Runs the application on a socket until it is told to stop."""

from __future__ import annotations

import errno
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from medistill.core.errors import MedistillError
from medistill.serve.app import create_app
from medistill.serve.patience import patient_protocol
from medistill.serve.places import LONGEST_WAIT
from medistill.serve.service import Service

# More connections than this are turned away before a request is read.
_CONNECTIONS = 1000
_BACKLOG = 512
# A client that stays away as long as Retry-After says finds its connection still open.
_KEEP_ALIVE = LONGEST_WAIT + 15
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, so that a port in use is one sentence and not half a start.

    Args:
        host: address to listen on.
        port: its port; 0 for any that is free.

    Raises:
        MedistillError: the port is in use or forbidden, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _unusable(host, port, error) from error
    return listener


def _unusable(host: str, port: int, error: OSError) -> MedistillError:
    if error.errno == errno.EADDRINUSE:
        what, cure = "another program listens there", "Choose another port with --port."
    else:
        what = f"cannot be listened on ({error.strerror or error})"
        cure = "Choose another address or port with --host and --port."
    return MedistillError(where=f"{host}:{port}", what=what, cure=cure)


def run_server(
    service: Service, listener: socket.socket, *, started: Callable[[], None] = lambda: None
) -> None:
    """Serve until SIGINT or SIGTERM; what was accepted by then is finished.

    Args:
        service: closed at the end.
        listener: a listening socket.
        started: called when requests are answered.
    """
    # Its own access log would hold addresses and times twice; the audit log is the one place.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    # A malformed form is the client's affair and is answered as such.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    limits = service.settings.limits
    config = uvicorn.Config(
        create_app(service),
        http=patient_protocol(limits.upload_seconds),
        access_log=False,
        log_config=None,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=limits.shutdown_seconds,
        server_header=False,
        lifespan="on",
    )
    with _signals_heard():
        _Server(config, started).run(sockets=[listener])


@contextmanager
def _signals_heard() -> Iterator[None]:
    """Do nothing more when uvicorn, which has stopped in order, raises the signal once again."""
    heard = {number: signal.signal(number, _do_nothing) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)


def _do_nothing(number: int, frame: object) -> None:
    """The order to stop was followed."""


class _Server(uvicorn.Server):
    """Tells when it answers."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()
