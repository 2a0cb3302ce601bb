"""Predicts images with a bundle: onnxruntime, numpy and Pillow, no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.bundle import Bundle
from medistill.bundle.calibration import decide, probabilities
from medistill.bundle.schema import Graph
from medistill.core.errors import DataError
from medistill.imaging.reader import Picture, read_image
from medistill.imaging.resize import render, to_stored
from medistill.serve.inputs import Input, find_inputs
from medistill.serve.masks import Mask, area_shares, class_mask, onto_picture
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
        probabilities: one a class, in the order of the bundle's classes; None with a problem. For
            a segmenting student the share of the picture that each class covers.
        label: the class at the operating point (multi-label: those that hold, joined by ``; ``;
            masks: those that cover anything, the first class left out unless it covers all).
        conformal: classes that cannot be excluded at the bundle's coverage; None if not fitted.
        trusted: False where the image is unlike those that the bundle was checked on; None if
            that is not fitted.
        reasons: why not to trust it, one sentence each.
        problem: why there is no answer; None with one.
        mask: (H, W) class numbers in the picture's geometry; None unless the student segments.
    """

    path: str
    probabilities: tuple[float, ...] | None = None
    label: str | None = None
    conformal: tuple[str, ...] | None = None
    trusted: bool | None = None
    reasons: tuple[str, ...] = ()
    problem: str | None = None
    mask: Mask | None = field(default=None, compare=False, repr=False)


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
    def graph(self) -> Graph:
        """The graph that predicts."""
        return self._session.graph

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
            (N, K) float64, (N, K, H, W) for masks; NaN for an image of which the graph gave a
            number that is not finite.

        Raises:
            BundleError: the graph fails.
        """
        logits = self._session.run(images, self._logits).astype(np.float64)
        logits[~np.isfinite(logits).reshape(len(logits), -1).all(axis=1)] = np.nan
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

    def answer(self, name: str, chances: Chances, shape: tuple[int, int]) -> Prediction:
        """What the probabilities of one image say.

        Args:
            name: of the input, for the answer.
            chances: (K,), or (K, H, W) for masks.
            shape: height and width of the picture, for masks.
        """
        if not np.isfinite(chances).all():
            return Prediction(path=name, problem="the graph gave no finite number")
        if self.bundle.manifest.task == "segmentation":
            return self._mask_answer(name, chances, shape)
        return Prediction(
            path=name,
            probabilities=tuple(float(value) for value in chances),
            label=self._named(self._held(chances)),
        )

    def _predict_batch(self, batch: list[Input]) -> Iterator[Prediction]:
        read = [self._read(item) for item in batch]
        images = [found[0] for found in read if not isinstance(found, str)]
        rows = iter(self.predict_array(np.stack(images)) if images else ())
        for item, found in zip(batch, read, strict=True):
            if isinstance(found, str):
                yield Prediction(path=str(item.path), problem=found)
            else:
                yield self.answer(str(item.path), next(rows), found[1])

    def _read(self, item: Input) -> tuple[Images, tuple[int, int]] | str:
        """The prepared image and the picture's shape, or why there is none."""
        if item.problem is not None:
            return item.problem
        try:
            picture = read_image(item.path)
            height, width = picture.pixels.shape[:2]
            return self.prepare(picture), (height, width)
        except DataError as error:
            return error.what

    def _mask_answer(self, name: str, chances: Chances, shape: tuple[int, int]) -> Prediction:
        fit = self.bundle.manifest.preprocessing.fit
        mask = onto_picture(class_mask(self._held(chances)), shape, fit)
        shares = area_shares(mask, len(self.classes))
        found = np.array(shares) > 0
        found[0] &= not found[1:].any()
        return Prediction(path=name, probabilities=shares, label=self._named(found), mask=mask)

    def _held(self, chances: Chances) -> NDArray[np.bool_]:
        held: NDArray[np.bool_] = decide(
            chances[None],
            task=self.bundle.manifest.task,
            classes=self.classes,
            thresholds=self._session.graph.thresholds,
        )[0]
        return held

    def _named(self, held: NDArray[np.bool_]) -> str:
        return SEPARATOR.join(name for name, holds in zip(self.classes, held, strict=True) if holds)
