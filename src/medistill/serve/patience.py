"""How long a connection may take to send the head of a request. Torch-free.

uvicorn bounds idle connections only: a client that sends one byte of its head a second would hold
one for ever.
"""

from __future__ import annotations

import asyncio
import json

from uvicorn.protocols.http.auto import AutoHTTPProtocol

_SENTENCE = "The head of the request took longer than {:g} s; send it faster."


class PatientProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """One connection of uvicorn's, which answers 408 and hangs up where a head takes too long.

    Attributes:
        seconds: from the first byte (or from connecting) to the end of the head.
    """

    seconds: float
    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Go on waiting until a request is at work."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._overdue is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._overdue = self.loop.call_later(self.seconds, self._hang_up)

    def _stop_waiting(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
        self._overdue = None

    def _hang_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(_too_slow(self.seconds))
            self.transport.close()


def patient_protocol(seconds: float) -> type[PatientProtocol]:
    """The protocol with its bound, as uvicorn takes it."""
    return type("PatientProtocol", (PatientProtocol,), {"seconds": seconds})


def _too_slow(seconds: float) -> bytes:
    body = json.dumps({"detail": _SENTENCE.format(seconds)}).encode()
    head = (
        "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
