"""Volumes on their way into a prediction: one stays open while its slices are asked for.

Torch-free.
"""

from __future__ import annotations

from types import TracebackType

from medistill.core.errors import DataError
from medistill.imaging.picture import Picture
from medistill.imaging.volume import OpenVolume
from medistill.imaging.window import parse_window
from medistill.serve.inputs import Input


class LastVolume:
    """Reads slices; the volume of the last one stays open, since the next is mostly its own."""

    def __init__(self) -> None:
        self._volume: OpenVolume | None = None
        self._fault: tuple[Input, DataError] | None = None

    def picture(self, item: Input, window: str | None) -> Picture:
        """The slice of an input.

        Raises:
            DataError: the volume is damaged, or its slice declares no gray scale.
            MissingExtraError: nibabel is not installed.
        """
        if self._fault is not None and self._fault[0].path == item.path:
            raise self._fault[1]  # a volume that cannot be unpacked is not unpacked for every slice
        if self._volume is None or self._volume.path != item.path:
            self._close()
            try:
                self._volume = OpenVolume(item.path)
            except DataError as error:
                self._fault = (item, error)
                raise
        return self._volume.picture(item.frame or 0, item.plane, parse_window(window))

    def __enter__(self) -> LastVolume:
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
