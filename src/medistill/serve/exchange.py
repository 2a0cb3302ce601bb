"""One request and its answer: errors become a status and a sentence, all is counted and logged."""

from __future__ import annotations

import hmac
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from medistill.core.errors import MedistillError
from medistill.serve.places import FullError, Growing
from medistill.serve.prediction import Prediction
from medistill.serve.service import Service
from medistill.serve.uploads import RefusalError, Upload, drain, read_uploads

KEY_HEADER = "X-API-Key"
_LOG = logging.getLogger("medistill.serve")
_FULL_DISK = "The server cannot write what it must keep; nothing was answered. Tell its operator."


@dataclass
class Exchange:
    """What is known of one request while it is worked on.

    Attributes:
        service: who answers.
        request: the request.
        route: its name in metrics and log.
        uploads: the files, once they are read.
        found: what was said of them.
    """

    service: Service
    request: Request
    route: str
    uploads: Sequence[Upload] = ()
    found: Sequence[Prediction] = ()
    identity: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: float = field(default_factory=time.monotonic)
    _memory: Growing = field(init=False, repr=False)

    async def read(self, *, most: int | None = None) -> Sequence[Upload]:
        """The files of the request.

        Args:
            most: files allowed; None for the service's own bound.

        Raises:
            RefusalError: they cannot be had.
            FullError: other requests fill the memory.
        """
        service = self.service
        limits = service.settings.limits
        try:
            self.uploads = await read_uploads(self.request, limits, self._memory, most=most)
        except BaseException:
            self._memory.release()  # what was read is dropped, before the rest is drained
            raise
        service.keeper.keep(self.uploads)
        return self.uploads

    async def answer(self, work: Callable[[Exchange], Awaitable[Response]]) -> Response:
        """Do the work; whatever goes wrong becomes an answer too."""
        with self.service.memory.growing() as self._memory:
            return await self._answered(work)

    async def _answered(self, work: Callable[[Exchange], Awaitable[Response]]) -> Response:
        response = await self._guarded(work)
        if response.status_code >= 400 and "connection" not in response.headers:
            await drain(self.request, self.service.settings.limits.upload_seconds)
        seconds = time.monotonic() - self.started
        try:
            self._log(response.status_code, seconds)
        except OSError as error:
            response = _failed(error)
        self._count(response.status_code, seconds)
        response.headers["X-Request-ID"] = self.identity
        return response

    async def _guarded(self, work: Callable[[Exchange], Awaitable[Response]]) -> Response:
        try:
            check_key(self.request, self.service.settings.key)
            if not self.service.works:
                raise RefusalError(503, "The server is stopping.", {"Retry-After": "5"})
            return await work(self)
        except RefusalError as refusal:
            return problem(refusal.status, refusal.sentence, refusal.headers)
        except FullError as full:
            text = f"The server is busy; try again in {full.retry_after} s."
            return problem(429, text, {"Retry-After": str(full.retry_after)})
        except MedistillError as error:
            _LOG.error("request %s: %s", self.identity, error)
            return problem(500, "The bundle cannot answer; tell the server's operator.")
        except OSError as error:
            return _failed(error)
        except Exception as error:  # a bug must not name the file it met, nor stop the server
            _LOG.error("request %s failed: %s", self.identity, type(error).__name__)
            return problem(500, f"The server failed; tell its operator: request {self.identity}.")

    def _log(self, status: int, seconds: float) -> None:
        client = self.request.client
        self.service.audit.write(
            request=self.identity,
            route=self.route,
            client=client.host if client else "",
            status=status,
            files=[upload.sha256 for upload in self.uploads],
            labels=[found.label for found in self.found],
            seconds=seconds,
        )

    def _count(self, status: int, seconds: float) -> None:
        metrics = self.service.metrics
        metrics.answered(self.route, status, seconds)
        refused = sum(found.problem is not None for found in self.found)
        metrics.images(predicted=len(self.found) - refused, refused=refused)


def check_key(request: Request, key: str | None) -> None:
    """Refuse a request without the service's key; the comparison tells nothing by its time.

    Raises:
        RefusalError: 401.
    """
    given = request.headers.get(KEY_HEADER, "")
    if key is not None and not hmac.compare_digest(given.encode(), key.encode()):
        text = f"The API key is missing or wrong; send it as {KEY_HEADER}."
        raise RefusalError(401, text, {"WWW-Authenticate": "ApiKey"})


def problem(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    """An error as JSON."""
    return JSONResponse({"detail": sentence}, status_code=status, headers=headers)


def _failed(error: OSError) -> Response:
    _LOG.error("cannot write the audit log or a kept upload: %s", error)
    return problem(507, _FULL_DISK)
