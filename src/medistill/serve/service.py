"""What the server does with uploads, apart from HTTP: read, queue, answer, explain. Torch-free."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio.to_thread
import numpy as np
from anyio import CapacityLimiter

from medistill.bundle.bundle import Bundle
from medistill.core.errors import DataError, MissingExtraError
from medistill.imaging.reader import Picture, decode_image
from medistill.serve.audit import AuditLog
from medistill.serve.batching import BatchQueue
from medistill.serve.explainer import Explainer
from medistill.serve.keep import Keeper
from medistill.serve.limits import Limits
from medistill.serve.metrics import Metrics
from medistill.serve.places import Places
from medistill.serve.prediction import Prediction
from medistill.serve.predictor import Predictor, Prepared
from medistill.serve.relevance import Relevance
from medistill.serve.session import available_cores
from medistill.serve.uploads import RefusalError, Upload

Value = TypeVar("Value")
# What one file may lack; the other files of its request are answered all the same.
_UNREADABLE = (DataError, MissingExtraError)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a bundle is served.

    Attributes:
        threads: for inference; None for all cores.
        graph: name of the graph; None for the bundle's default.
        limits: bounds on size, number and time.
        audit: file of the audit log; None keeps none.
        keep: folder in which uploads are kept; None keeps none.
        key: what a client must send as ``X-API-Key``; None lets everybody in.
    """

    threads: int | None = None
    graph: str | None = None
    limits: Limits = Limits()
    audit: Path | None = None
    keep: Path | None = None
    key: str | None = None


class Service:
    """A bundle at work; every method may be called from many requests at once.

    Args:
        bundle: an opened bundle.
        settings: how it is served.

    Raises:
        MedistillError: the bundle, the log or the folder cannot be used.
    """

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        self.bundle, self.settings, limits = bundle, settings, settings.limits
        self.predictor = Predictor(bundle, threads=settings.threads, graph=settings.graph)
        self.explainer = Explainer.of(bundle, threads=settings.threads)
        self.places, self.memory = Places(limits.queue), Places(limits.memory_bytes)
        graph = self.predictor.graph.name
        self.metrics = Metrics(
            inside=lambda: self.places.taken, graph=graph, identity=bundle.identity
        )
        self.audit = AuditLog(settings.audit, identity=bundle.identity, graph=graph)
        self.keeper = Keeper(settings.keep)
        self.stopping = False
        self._threads = CapacityLimiter(available_cores())
        self._queue: BatchQueue[Prepared, Prediction] = BatchQueue(
            self._run,
            batch_size=limits.batch,
            gather_seconds=limits.gather_ms / 1000,
            expected=lambda: self.places.taken,
        )

    @property
    def works(self) -> bool:
        """Whether images are still answered."""
        return self._queue.alive and not self.stopping

    async def predict(self, uploads: Sequence[Upload]) -> list[Prediction]:
        """One answer a file, in order; a file that cannot be read has a problem instead.

        Raises:
            FullError: the queue is full.
            RefusalError: more files than the queue has places, or no answer in time.
        """
        if len(uploads) > self.places.capacity:
            text = f"{len(uploads)} files are more than the queue holds; send fewer at once."
            raise RefusalError(413, text)
        with self.places.held(len(uploads)):
            return await self._in_time(asyncio.gather(*map(self._predict_one, uploads)))

    async def explain(
        self, upload: Upload, target: int | None
    ) -> tuple[Prediction, Relevance, tuple[int, int]]:
        """The answer for one file, where the student looked, and the picture's shape.

        Args:
            upload: the file.
            target: number of the class to explain; None for the most probable one.

        Raises:
            FullError: the queue is full.
            RefusalError: the file cannot be read, or the bundle holds nothing to explain with.
        """
        explainer = self.explainer
        if explainer is None:
            masks = self.bundle.manifest.task == "segmentation"
            cure = "its masks say where; ask /v1/mask" if masks else "export it again"
            raise RefusalError(409, f"This bundle holds no graph that explains; {cure}.")
        with self.places.held(1):
            _, prepared = await self._in_time(self._in_thread(self._read_or_refuse, upload))
            found = await self._in_time(self._answered(prepared))
            chosen = _most_probable(found) if target is None else target
            relevance = await self._in_time(
                self._in_thread(explainer.explain, prepared.image, chosen)
            )
            return found, relevance, prepared.shape

    async def picture(self, upload: Upload) -> Picture:
        """The decoded picture of one file.

        Raises:
            FullError: the queue is full.
            RefusalError: the file cannot be read.
        """
        with self.places.held(1):
            found, _ = await self._in_time(self._in_thread(self._read_or_refuse, upload))
            return found

    def close(self) -> None:
        """Answer what was accepted, then stop."""
        self.stopping = True
        self._queue.close()
        self.audit.close()

    def _run(self, batch: Sequence[Prepared]) -> list[Prediction]:
        self.metrics.batch.observe(len(batch))
        return self.predictor.predict_prepared(batch)

    async def _predict_one(self, upload: Upload) -> Prediction:
        try:
            _, prepared = await self._in_thread(self._read, upload)
        except _UNREADABLE as error:
            return Prediction(path=upload.name, problem=_reason(error))
        return await self._answered(prepared)

    async def _answered(self, prepared: Prepared) -> Prediction:
        return await asyncio.wrap_future(self._queue.submit(prepared))

    def _read(self, upload: Upload) -> tuple[Picture, Prepared]:
        if not upload.content:
            raise DataError(where=upload.name, what="is empty", cure="Send the image itself.")
        window = self.bundle.manifest.preprocessing.window
        picture = decode_image(io.BytesIO(upload.content), where=upload.name, window=window)
        return picture, self.predictor.prepare_named(picture, upload.name)

    def _read_or_refuse(self, upload: Upload) -> tuple[Picture, Prepared]:
        try:
            return self._read(upload)
        except _UNREADABLE as error:
            raise RefusalError(422, f"{upload.name}: {_reason(error).rstrip('.')}.") from error

    async def _in_thread(self, work: Callable[..., Value], *arguments: object) -> Value:
        return await anyio.to_thread.run_sync(
            partial(work, *arguments), limiter=self._threads, abandon_on_cancel=True
        )

    async def _in_time(self, work: Awaitable[Value]) -> Value:
        seconds = self.settings.limits.answer_seconds
        try:
            async with asyncio.timeout(seconds):
                return await work
        except TimeoutError:
            text = f"There was no answer within {seconds:g} s; try again later."
            raise RefusalError(504, text) from None


def _reason(error: DataError | MissingExtraError) -> str:
    """Why a file cannot be read; of a missing extra also what its operator can do."""
    return f"{error.what}. {error.cure}" if isinstance(error, MissingExtraError) else error.what


def _most_probable(found: Prediction) -> int:
    return int(np.argmax(found.probabilities)) if found.probabilities else 0
