"""Runs the application on a socket until it is told to stop."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable

import uvicorn

from medistill.core.errors import MedistillError
from medistill.serve.app import create_app
from medistill.serve.service import Service

# More connections than this are turned away before a request is read.
_CONNECTIONS = 1000
_BACKLOG = 512


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
    config = uvicorn.Config(
        create_app(service),
        access_log=False,
        log_config=None,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=service.settings.limits.shutdown_seconds,
        server_header=False,
        lifespan="on",
    )
    _Server(config, service, started).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Tells when it answers, and lets readiness fail as soon as it is told to stop."""

    def __init__(
        self, config: uvicorn.Config, service: Service, started: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._service, self._started = service, started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()
