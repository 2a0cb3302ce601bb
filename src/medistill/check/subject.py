"""What is checked: a set, its facts and its parts, in one value that every check reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from medistill.check.facts import Facts
from medistill.check.near import near_clusters
from medistill.core.types import ImageSet, Sample

Clusters = Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A set under examination.

    Attributes:
        images: the set.
        facts: of each image by name.
        parts: part of each image by name: a published split, or the parts of a run; images that
            are in none are missing.
        fitted_on: content hashes of the images that the teacher was fitted on, or None where no
            teacher was named.
        known: near copies among these images and others, where they have been looked for.
    """

    images: ImageSet
    facts: Mapping[str, Facts]
    parts: Mapping[str, str]
    fitted_on: frozenset[str] | None = None
    known: Clusters | None = None

    @cached_property
    def readable(self) -> tuple[Sample, ...]:
        """Samples whose image can be read."""
        return tuple(s for s in self.images.samples if not self.facts[s.name].problem)

    @cached_property
    def near_copies(self) -> Clusters:
        """Every readable, structured image once, with its near copies: looked for once."""
        names = [sample.name for sample in self.readable]
        if self.known is None:
            return near_clusters(self.facts, names)
        here = set(names)
        left = ([name for name in held if name in here] for held in self.known)
        return [held for held in left if held]

    def label_words(self, sample: Sample) -> tuple[str, ...]:
        """Classes of an image; several or none in a multi-label set."""
        if isinstance(sample.label, int):
            return (self.images.classes[sample.label],)
        values = sample.label or ()
        return tuple(c for c, v in zip(self.images.classes, values, strict=False) if v == 1)

    def class_truth(self, samples: Sequence[Sample]) -> dict[str, np.ndarray]:
        """For each class 1, 0 or NaN (unknown) of every sample, shape (N,)."""
        rows = np.array([self._row(sample) for sample in samples], dtype=np.float64)
        rows = rows.reshape(len(samples), len(self.images.classes))
        return {name: rows[:, k] for k, name in enumerate(self.images.classes)}

    def _row(self, sample: Sample) -> list[float]:
        count = len(self.images.classes)
        if isinstance(sample.label, int):
            return [float(k == sample.label) for k in range(count)]
        return list(sample.label) if sample.label else [np.nan] * count
