"""Inputs on their way to a model: a volume stays open while its slices are asked for.

Torch-free.
"""

from __future__ import annotations

from types import TracebackType

from medistill.core.errors import DataError
from medistill.imaging.picture import Picture, refusal
from medistill.imaging.reader import read_image
from medistill.imaging.volume import OpenVolume
from medistill.imaging.window import parse_window
from medistill.serve.inputs import Input


class InputReader:
    """Reads inputs; the volume of the last slice stays open, since the next is mostly its own."""

    def __init__(self) -> None:
        self._volume: OpenVolume | None = None
        self._fault: tuple[Input, DataError] | None = None

    def picture(self, item: Input, window: str | None) -> Picture:
        """The picture of an input: a file, or a slice of a volume along the input's plane.

        Args:
            item: the input.
            window: gray scale of CT, as ``imaging.reader.read_image`` takes it.

        Raises:
            DataError: the input has a problem, the file is damaged, or no gray scale is declared.
            MissingExtraError: nibabel is not installed.
        """
        if item.problem is not None:
            raise refusal(item.path, item.problem)
        if item.frame is None:
            return read_image(item.path, window=window)
        return self._slice(item, item.frame, window)

    def _slice(self, item: Input, frame: int, window: str | None) -> Picture:
        if self._fault is not None and self._fault[0].path == item.path:
            raise self._fault[1]  # a volume that cannot be unpacked is not unpacked for every slice
        if self._volume is None or self._volume.path != item.path:
            self._close()
            try:
                self._volume = OpenVolume(item.path)
            except DataError as error:
                self._fault = (item, error)
                raise
        return self._volume.picture(frame, item.plane, parse_window(window))

    def __enter__(self) -> InputReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._volume is not None:
            self._volume.close()
        self._volume = None
