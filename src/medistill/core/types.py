"""The nouns that every stage shares. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Task = Literal["single-label", "multi-label", "segmentation"]
Plane = Literal["axial", "coronal", "sagittal"]
PartName = Literal["fit", "select", "calibrate", "evaluate"]
PART_NAMES: tuple[PartName, ...] = ("fit", "select", "calibrate", "evaluate")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One image and what is known of it.

    Attributes:
        path: the image file.
        name: POSIX path below the data set's root, unique in the set.
        label: class index (single-label); one float a class, NaN where unknown (multi-label), or 1
            where its mask shows the class (segmentation); None for an unlabelled image.
        group: what must not be cut by a split (see ``ImageSet.group_word``).
        split: ``train``, ``val`` or ``test`` as published, or None.
        mask: mask file (segmentation), or None.
        attributes: further columns, for example sex or site.
        frame: frame of a multi-frame file, or slice of a volume, from 0; None for single pictures.
        plane: along which plane a volume is cut.
        guessed: whether the group is what the pictures suggest, since nothing names it.
        study: of which study it is, where a file says so: to be counted, never shipped.
    """

    path: Path
    name: str
    label: int | tuple[float, ...] | None
    group: str
    split: str | None = None
    mask: Path | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    frame: int | None = None
    plane: Plane = "axial"
    guessed: bool = False
    study: str = ""


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """A labelled set of images, as a layout read it.

    Attributes:
        name: the layout's name in the catalogue.
        root: folder or table it was read from.
        task: what the labels are.
        classes: class names in the order of the label indices.
        samples: the images, sorted by name.
        group_word: what a group is here: patient, study, article, near-duplicate cluster, image.
        caveats: sentences that must stay with every figure made from this set.
    """

    name: str
    root: Path
    task: Task
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    group_word: str
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Four parts of a set, disjoint by group, as sorted row numbers of ``ImageSet.samples``.

    Attributes:
        fit: trains weights.
        select: chooses checkpoints and searched values.
        calibrate: temperature, thresholds, export gate.
        evaluate: what is reported.
    """

    fit: tuple[int, ...]
    select: tuple[int, ...]
    calibrate: tuple[int, ...]
    evaluate: tuple[int, ...]

    def named(self) -> dict[PartName, tuple[int, ...]]:
        """The parts by name, in their fixed order."""
        return {
            "fit": self.fit,
            "select": self.select,
            "calibrate": self.calibrate,
            "evaluate": self.evaluate,
        }
