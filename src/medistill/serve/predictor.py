"""Predicts images with a bundle: onnxruntime, numpy and Pillow, no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.bundle import Bundle
from medistill.bundle.calibration import probabilities
from medistill.bundle.schema import Graph
from medistill.bundle.trust import POOLED
from medistill.core.errors import DataError, MissingExtraError, RecipeError
from medistill.core.types import Plane
from medistill.imaging.reader import Picture
from medistill.imaging.resize import render, to_stored
from medistill.imaging.window import parse_window
from medistill.serve.deciding import cleaned, decided
from medistill.serve.inputs import Input, find_inputs
from medistill.serve.prediction import Prediction
from medistill.serve.session import open_session
from medistill.serve.volumes import InputReader

Images = NDArray[np.float32]
Chances = NDArray[np.float64]
BATCH_SIZE = 16


@dataclass(frozen=True)
class Prepared:
    """One image, ready for the graph.

    Attributes:
        name: of the input, for its answer.
        image: (C, S, S) float32 in [0, 1].
        shape: height and width of the picture.
        foreign: why it is of another kind than the student was trained on, one sentence each.
    """

    name: str
    image: Images
    shape: tuple[int, int]
    foreign: tuple[str, ...] = ()


class Predictor:
    """A bundle, ready to predict.

    Args:
        bundle: an opened bundle.
        threads: for inference; None for all cores that this process may use.
        graph: name of the graph; None for the bundle's default.
        window: gray scale of CT for a bundle that names none, as ``imaging.reader.read_image``
            takes it; None for what each file declares.

    Raises:
        BundleError: the graph is broken or not what the manifest says.
        UnknownNameError: the bundle has no such graph.
        RecipeError: the window is not known, or the bundle has its own.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        threads: int | None = None,
        graph: str | None = None,
        window: str | None = None,
    ) -> None:
        self.bundle = bundle
        self._window = _chosen_window(bundle, window)
        self._session = open_session(bundle, graph=graph, threads=threads)
        held = {what: output for output, what in self.graph.outputs.items()}
        self._logits = held["logits"]
        self._pooled = held.get(POOLED) if self.graph.decisions.trust else None

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
        logits = cleaned(self._session.run(images, self._logits))
        return probabilities(
            logits,
            task=self.bundle.manifest.task,
            calibration=self._session.graph.calibration,
        )

    def outputs(self, images: Images) -> dict[str, Chances]:
        """What the graph itself says of prepared images, before any temperature.

        Args:
            images: (N, C, S, S) float32 in [0, 1].

        Returns:
            ``logits``, (N, K) or (N, K, H, W), NaN for an image of which the graph gave a number
            that is not finite; and ``pooled``, (N, D), where its gate needs that.

        Raises:
            BundleError: the graph fails.
        """
        wanted = [self._logits, *([self._pooled] if self._pooled else [])]
        logits, *pooled = self._session.run_many(images, wanted)
        said = {"logits": cleaned(logits)}
        return {**said, POOLED: pooled[0].astype(np.float64)} if pooled else said

    def predict_files(
        self,
        paths: Iterable[Path],
        batch_size: int = BATCH_SIZE,
        *,
        plane: Plane = "axial",
    ) -> Iterator[Prediction]:
        """Predict files and folders, in order; memory does not grow with their number.

        An input that cannot be read is reported with its problem and does not stop the rest.

        Args:
            paths: images and folders of images.
            batch_size: images that run together.
            plane: along which plane volumes are cut.

        Raises:
            BundleError: the graph fails.
        """
        return self.predict_inputs(find_inputs(paths, plane), batch_size)

    def predict_inputs(
        self, inputs: Iterable[Input], batch_size: int = BATCH_SIZE
    ) -> Iterator[Prediction]:
        """Predict single pictures, in order, as :meth:`predict_files` does those that it finds.

        Args:
            inputs: files, and slices of volumes.
            batch_size: images that run together.

        Raises:
            BundleError: the graph fails.
        """
        left = iter(inputs)
        with InputReader() as reader:
            while batch := list(islice(left, batch_size)):
                yield from self._predict_batch(batch, reader)

    def predict_prepared(self, batch: Sequence[Prepared]) -> list[Prediction]:
        """What is said of each prepared image, in order.

        Raises:
            BundleError: the graph fails.
        """
        said = self.outputs(np.stack([item.image for item in batch]))
        return decided(
            self.bundle.manifest,
            self.graph,
            names=[item.name for item in batch],
            shapes=[item.shape for item in batch],
            foreign=[item.foreign for item in batch],
            logits=said["logits"],
            pooled=said.get(POOLED),
        )

    def prepare_named(self, picture: Picture, name: str) -> Prepared:
        """A decoded picture as the graph's input, with what its answer needs besides."""
        height, width = picture.shape[:2]
        foreign = self.bundle.manifest.acquisition.foreign(
            modality=picture.modality, body_part=picture.body_part
        )
        return Prepared(name, self.prepare(picture), (height, width), foreign)

    def _predict_batch(self, batch: list[Input], reader: InputReader) -> Iterator[Prediction]:
        read = [self._read(item, reader) for item in batch]
        prepared = [found for found in read if isinstance(found, Prepared)]
        answers = iter(self.predict_prepared(prepared) if prepared else ())
        for item, found in zip(batch, read, strict=True):
            said = next(answers) if isinstance(found, Prepared) else found
            yield dataclasses.replace(said, source=item)

    def _read(self, item: Input, reader: InputReader) -> Prepared | Prediction:
        """The prepared image, or why there is none."""
        if item.problem is not None:
            return Prediction(path=item.name, problem=item.problem)
        try:
            return self.prepare_named(reader.picture(item, self._window), item.name)
        except DataError as error:
            return Prediction(path=item.name, problem=error.what)
        except MissingExtraError as error:
            return Prediction(path=item.name, problem=f"{error.what}. {error.cure}")


def _chosen_window(bundle: Bundle, asked: str | None) -> str | None:
    """The student's own window; where it has none, the one that is asked for."""
    own = bundle.manifest.preprocessing.window
    if own is not None and asked is not None:
        what = f"this bundle was trained with its own window, {own}"
        raise RecipeError(where="--window", what=what, cure="Leave --window out.")
    parse_window(asked)
    return own or asked
