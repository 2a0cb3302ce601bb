"""Pictures of many files in order, several small ones at a time, and who sees them. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from medistill.core.errors import DataError
from medistill.core.types import Plane, Sample
from medistill.imaging.picture import Picture
from medistill.imaging.reader import read_image

#: Pixels that are held at once, and of a picture that comes alone: together large ones would only
#: drive each other from the cache (512 x 512: half as much time again).
AT_ONCE, ALONE = 2**19, 2**17
#: A picture, or why its file cannot be read.
Read = Picture | str


class Place(NamedTuple):
    """Where an image lies: what a process must be told of a sample, and no more.

    Attributes:
        path: its file.
        frame: frame or slice, from 0, or None.
        plane: plane of a volume.
    """

    path: str
    frame: int | None
    plane: Plane

    @classmethod
    def of(cls, sample: Sample) -> Place:
        """The place of a sample's image."""
        return cls(str(sample.path), sample.frame, sample.plane)

    def read(self, window: str | None) -> Picture:
        """Read the image, as ``imaging.reader.read_image``."""
        return read_image(self.path, window=window, frame=self.frame, plane=self.plane)


class Watcher(Protocol):
    """Sees the pictures of a piece of a set while they are in memory, and tells of them at last."""

    def see(self, pictures: Sequence[Read]) -> None:
        """The next pictures, in order."""

    def told(self) -> Any:
        """What was seen, once all have passed; it is pickled where processes read."""


@dataclass(frozen=True)
class Watch:
    """Who looks on while somebody else reads a set, so that no file is decoded twice.

    Attributes:
        watcher: makes the watcher of so many pictures, in the process that reads them.
        keep: takes the rows of a piece and what its watcher told, in order.
    """

    watcher: Callable[[int], Watcher]
    keep: Callable[[slice, Any], None]


def batches(places: Sequence[Place], window: str | None) -> Iterator[list[Read]]:
    """Pictures in order, or why they cannot be read: several small ones, or a large one, at a time.

    What is done with one picture after the other, step by step, finds code and tables in the
    processor's cache: with small pictures that is half of the time.

    Args:
        places: the images.
        window: gray scale of CT (``imaging.window``), or None for what each file declares.
    """
    held: list[Read] = []
    pixels = 0
    for place in places:
        try:
            picture = place.read(window)
        except DataError as error:
            held.append(error.what)
            continue
        held.append(picture)
        size = picture.shape[0] * picture.shape[1]
        pixels += size
        if pixels >= AT_ONCE or size >= ALONE:
            yield held
            held, pixels = [], 0
    if held:
        yield held
