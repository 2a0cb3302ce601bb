"""Which images without labels a fold may learn from: none that tells of what it holds out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medistill.check.copies import closest_copies
from medistill.check.facts import Facts
from medistill.core.types import ImageSet, Parts, Sample

#: From the row of an image without a label to the rows of labelled images that it is a copy of.
Copies = Mapping[int, Sequence[int]]
_HELD_SPLITS = ("val", "test")


@dataclass(frozen=True, kw_only=True)
class Unlabelled:
    """Images without labels, as one fold may use them.

    Attributes:
        rows: what may be learnt from.
        left_out: by reason, how many may not.
    """

    rows: tuple[int, ...]
    left_out: Mapping[str, int]

    def sentence(self, fold: str) -> str | None:
        """How many were left out of the fold, as it is called, and why; None where all are used."""
        if not self.left_out:
            return None
        reasons = ", ".join(f"{number} {reason}" for reason, number in self.left_out.items())
        count = sum(self.left_out.values())
        return f"Left out{fold}: {count} unlabelled image{'s' * (count > 1)}: {reasons}."


def is_labelled(sample: Sample) -> bool:
    """Whether an image has a label or a mask."""
    return sample.label is not None or sample.mask is not None


def copies_of_labelled(images: ImageSet, facts: Mapping[str, Facts]) -> dict[int, list[int]]:
    """Images without labels that are all but the same as labelled ones, by row."""
    row = {sample.name: number for number, sample in enumerate(images.samples)}
    names: dict[bool, list[str]] = {True: [], False: []}
    for sample in images.samples:
        names[is_labelled(sample)].append(sample.name)
    if not names[False]:
        return {}
    found = closest_copies(facts, names[True], names[False])
    return {row[name]: [row[other] for other in held] for name, held in found.items()}


def usable_unlabelled(
    images: ImageSet, hashes: Sequence[str], parts: Parts, copies: Copies
) -> Unlabelled:
    """What a fold may learn from without labels.

    An image is left out if its pixels equal a labelled image's (which is there with its label), or
    if it tells of *select*, *calibrate* or *evaluate*: its group lies there, it is a copy of an
    image there, or it belongs to a published val or test.

    Args:
        images: the set.
        hashes: content hash of each stored image.
        parts: the fold's parts.
        copies: of every image without a label.
    """
    held = {*parts.select, *parts.calibrate, *parts.evaluate}
    groups = {images.samples[row].group for row in held}
    pairs = list(enumerate(zip(images.samples, hashes, strict=True)))
    known = {digest for _, (sample, digest) in pairs if is_labelled(sample)}
    where = "in select, calibrate or evaluate"

    def reason(row: int, sample: Sample, digest: str) -> str | None:
        if sample.group in groups:
            return f"whose {images.group_word} is {where}"
        if sample.split in _HELD_SPLITS:
            return "of a published val or test"
        if digest in known:
            return "equal to labelled ones"
        return f"copied from an image {where}" if held.intersection(copies.get(row, ())) else None

    found = {
        row: reason(row, sample, digest)
        for row, (sample, digest) in pairs
        if not is_labelled(sample)
    }
    return Unlabelled(
        rows=tuple(row for row, why in found.items() if why is None),
        left_out=Counter(why for why in found.values() if why is not None),
    )
