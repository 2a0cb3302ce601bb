"""Predicts images with a bundle: onnxruntime, numpy and Pillow, no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.bundle import Bundle
from medistill.bundle.calibration import decide, probabilities
from medistill.core.errors import DataError
from medistill.imaging.reader import Picture, read_image
from medistill.imaging.resize import render, to_stored
from medistill.serve.inputs import Input, find_inputs
from medistill.serve.session import open_session

Images = NDArray[np.float32]
Chances = NDArray[np.float64]
BATCH_SIZE = 16
#: Between the labels of one multi-label image.
SEPARATOR = "; "


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a bundle says of one input.

    Attributes:
        path: the input, as it was given or found.
        probabilities: one a class, in the order of the bundle's classes; None with a problem.
        label: the class at the operating point (multi-label: those that hold, joined by ``; ``).
        problem: why there is no answer; None with one.
    """

    path: str
    probabilities: tuple[float, ...] | None = None
    label: str | None = None
    problem: str | None = None


class Predictor:
    """A bundle, ready to predict.

    Args:
        bundle: an opened bundle.
        threads: for inference; None for all cores that this process may use.
        graph: name of the graph; None for the bundle's default.

    Raises:
        BundleError: the graph is broken or not what the manifest says.
        UnknownNameError: the bundle has no such graph.
    """

    def __init__(
        self, bundle: Bundle, *, threads: int | None = None, graph: str | None = None
    ) -> None:
        self.bundle = bundle
        self._session = open_session(bundle, graph=graph, threads=threads)
        outputs = self._session.graph.outputs.items()
        self._logits = next(name for name, held in outputs if held == "logits")

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the probabilities."""
        return self.bundle.manifest.classes

    def prepare(self, picture: Picture) -> Images:
        """A decoded picture as the graph's input, exactly as in training.

        Returns:
            (C, S, S) float32 in [0, 1].
        """
        seen = self.bundle.manifest.preprocessing
        stored = to_stored(
            picture, stored_size=seen.stored_size or seen.size, channels=seen.channels
        )
        return render(stored, size=seen.size, fit=seen.fit)

    def predict_array(self, images: Images) -> Chances:
        """Calibrated probabilities of prepared images.

        Args:
            images: (N, C, S, S) float32 in [0, 1].

        Returns:
            (N, K) float64; rows of NaN where the graph gave no finite number.

        Raises:
            BundleError: the graph fails.
        """
        logits = self._session.run(images, self._logits).astype(np.float64)
        logits[~np.isfinite(logits).all(axis=1)] = np.nan
        return probabilities(
            logits,
            task=self.bundle.manifest.task,
            calibration=self._session.graph.calibration,
        )

    def predict_files(
        self, paths: Iterable[Path], batch_size: int = BATCH_SIZE
    ) -> Iterator[Prediction]:
        """Predict files and folders, in order; memory does not grow with their number.

        An input that cannot be read is reported with its problem and does not stop the rest.

        Args:
            paths: images and folders of images.
            batch_size: images that run together.

        Raises:
            BundleError: the graph fails.
        """
        inputs = find_inputs(paths)
        while batch := list(islice(inputs, batch_size)):
            yield from self._predict_batch(batch)

    def _predict_batch(self, batch: list[Input]) -> Iterator[Prediction]:
        read = [self._read(item) for item in batch]
        images = [image for image in read if isinstance(image, np.ndarray)]
        rows = iter(self.predict_array(np.stack(images)) if images else ())
        for item, image in zip(batch, read, strict=True):
            if isinstance(image, str):
                yield Prediction(path=str(item.path), problem=image)
            else:
                yield self._answer(item, next(rows))

    def _read(self, item: Input) -> Images | str:
        """The prepared image, or why there is none."""
        if item.problem is not None:
            return item.problem
        try:
            return self.prepare(
                read_image(item.path, window=self.bundle.manifest.preprocessing.window)
            )
        except DataError as error:
            return error.what

    def _answer(self, item: Input, chances: Chances) -> Prediction:
        if not np.isfinite(chances).all():
            return Prediction(path=str(item.path), problem="the graph gave no finite number")
        return Prediction(
            path=str(item.path),
            probabilities=tuple(float(value) for value in chances),
            label=self._label(chances),
        )

    def _label(self, chances: Chances) -> str:
        held = decide(
            chances[None],
            task=self.bundle.manifest.task,
            classes=self.classes,
            thresholds=self._session.graph.thresholds,
        )[0]
        return SEPARATOR.join(name for name, holds in zip(self.classes, held, strict=True) if holds)
