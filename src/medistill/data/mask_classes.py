"""Which classes the masks of a set hold: every mask is read once, by all workers. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from medistill.core.errors import DataError
from medistill.data.processes import in_order, piece_size
from medistill.imaging.masks import CURE, JPEG_MASKS, UNKNOWN, Held, is_binary, listed, mask_values

#: Most classes of a set. Edges that a program has smoothed fill the grays up to white.
MOST = 128
_UNKNOWN = f"Pixels of {UNKNOWN} in a mask are taken for unknown."


class MaskClasses(NamedTuple):
    """What the masks of a set say.

    Attributes:
        names: class names in the order of their indices, the background first.
        caveats: sentences that must stay with every figure.
        values: what each mask holds, in the order of the masks.
    """

    names: tuple[str, ...]
    caveats: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]


def mask_classes(paths: Sequence[Path], *, where: Path, workers: int = 0) -> MaskClasses:
    """Classes of a set of masks, from the values that they hold.

    Masks that are all black and white (0 and 255, or 0 and 1; JPEG is cut at half of white) have
    two classes. Any others hold class indices 0 to K - 1 (K at most ``MOST``), each of which occurs
    in some mask; a single mask may lack any of them, and 255 is unknown.

    Args:
        paths: pictures or label maps.
        where: how an error names the set.
        workers: processes that read them (spawned: guard your script's ``__main__``); 0 reads here.

    Raises:
        DataError: a mask cannot be read, values are no classes, or all masks are empty.
    """
    size = piece_size(len(paths), workers)
    pieces = [paths[start : start + size] for start in range(0, len(paths), size)]
    found = in_order(pieces, _read, workers=workers)
    held = dict(zip(paths, (each for piece in found for each in piece), strict=True))
    if not any(value > 0 for each in held.values() for value in each.values):
        cure = "Check that these are the masks: at least one must show something."
        raise DataError(
            where=where,
            what="the only mask is empty" if len(held) == 1 else f"all {len(held)} masks are empty",
            cure=cure,
        )
    values = tuple(held[path].values for path in paths)
    lossy = any(each.lossy for each in held.values())
    if all(is_binary(each.values) for each in held.values()):
        return MaskClasses(("background", "foreground"), (JPEG_MASKS,) if lossy else (), values)
    unknown = any(UNKNOWN in each.values for each in held.values())
    names = tuple(f"class-{number}" for number in range(1, _highest(held) + 1))
    return MaskClasses(("background", *names), (_UNKNOWN,) if unknown else (), values)


def _read(paths: Sequence[Path]) -> list[Held]:
    return [mask_values(path) for path in paths]


def _highest(held: Mapping[Path, Held]) -> int:
    """The highest class index of masks that are not all black and white."""
    odd = next(path for path, each in held.items() if not is_binary(each.values))
    values = {value for each in held.values() if not each.lossy for value in each.values}
    numbers = values - {0, UNKNOWN}
    highest = max(numbers)
    if highest < 2 or highest >= MOST or numbers != {*range(1, highest + 1)}:
        what = f"holds {listed(held[odd].values)}"
        if values != set(held[odd].values):
            what += f", and all masks together {listed(values)}"
        raise DataError(
            where=odd,
            what=f"{what}: neither class numbers without a gap nor black and white",
            cure=CURE,
        )
    for path, each in held.items():
        if each.lossy:
            what = "is JPEG, which cannot hold class numbers as other masks here do"
            raise DataError(where=path, what=what, cure="Save masks of several classes as PNG.")
    return highest
