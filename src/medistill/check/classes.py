"""Classes, groups and labels: how many there are, where, and what is unknown."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from medistill.check.finding import Finding, share
from medistill.check.subject import Subject
from medistill.core.counting import agreeing, plural
from medistill.core.types import ImageSet, Sample
from medistill.data.split_folders import SPLIT_FOLDERS

#: A class this many times rarer than the largest is said; one in fewer groups cannot be split.
IMBALANCE, FEWEST_GROUPS = 10.0, 4
_UNSPLIT = "all"
_IN_NAME = re.compile(r"(person\d+|patient[ _-]?\d+)(?=[_\-. ])", re.IGNORECASE)
_FOLDER = re.compile(r"(?:patient|person|subject|case|pat|pt|p)[ _-]*\d+", re.IGNORECASE)
_JUDGE = "Judge by the AUROC and sensitivity of each class, not by accuracy."
_BALANCE = (
    " Training shows classes more evenly with train.balance (and teacher.fit.balance) above 0."
)
_JUDGE_MASKS = "Judge by the Dice of each class, not by their mean."


def class_findings(subject: Subject) -> Iterator[Finding]:
    """Counts by class and part; imbalance; classes too rare to be split.

    A class of masks is counted in the images that show it; instead of the background, which is
    everywhere, images whose mask is empty are.
    """
    images = subject.images
    masks = images.task == "segmentation"
    held: dict[str, list[Sample]] = {name: [] for name in _told_apart(images)}
    for sample in images.samples:
        for word in held.keys() & subject.label_words(sample):
            held[word].append(sample)
    table = {name: _Counts.of(subject, samples) for name, samples in held.items()}
    if masks:
        yield from _empty(subject)
    words = ", ".join(f"{name} {c.images:,} ({c.groups:,})" for name, c in table.items())
    noun = "images that show each class" if masks else "images"
    yield Finding(
        check="classes",
        severity="note",
        text=f"{noun} (groups: {images.group_word}): {words}",
        figures={name: counts.figures() for name, counts in table.items()},
    )
    yield from _rare(subject, {name: counts.groups for name, counts in table.items()})
    cure = _JUDGE_MASKS if masks else _JUDGE
    if images.task == "single-label":
        cure += _BALANCE
    yield from _imbalance({name: counts.images for name, counts in table.items()}, cure)


def _told_apart(images: ImageSet) -> tuple[str, ...]:
    """The classes; of masks without the background, which every image shows."""
    return images.classes[1:] if images.task == "segmentation" else images.classes


def _empty(subject: Subject) -> Iterator[Finding]:
    """How many masks show nothing, in all and in each part."""
    known = [sample for sample in subject.images.samples if sample.label is not None]
    shown = set(_told_apart(subject.images))
    counts = _Counts.of(subject, [s for s in known if not shown & {*subject.label_words(s)}])
    yield Finding(
        check="empty-masks",
        severity="note",
        text=f"{share(counts.images, len(known), 'mask')} "
        f"{agreeing(counts.images, 'is|are')} empty",
        figures=counts.figures(),
    )


@dataclass(frozen=True)
class _Counts:
    """How much there is of a class, and of it in each part."""

    images: int
    groups: int
    studies: int
    parts: dict[str, _Counts]

    @classmethod
    def of(cls, subject: Subject, samples: Sequence[Sample], *, split: bool = True) -> _Counts:
        held: dict[str, list[Sample]] = {}
        for sample in samples if split else ():
            held.setdefault(subject.parts.get(sample.name, _UNSPLIT), []).append(sample)
        return cls(
            images=len(samples),
            groups=len({sample.group for sample in samples}),
            studies=len({sample.study for sample in samples} - {""}),
            parts={part: cls.of(subject, held[part], split=False) for part in sorted(held)},
        )

    def figures(self) -> dict[str, Any]:
        """As JSON; studies where files name them."""
        found: dict[str, Any] = {"images": self.images, "groups": self.groups}
        if self.studies:
            found["studies"] = self.studies
        if self.parts:
            found["parts"] = {part: counts.figures() for part, counts in self.parts.items()}
        return found


def _rare(subject: Subject, groups: dict[str, int]) -> Iterator[Finding]:
    rare = {name: count for name, count in groups.items() if count < FEWEST_GROUPS}
    if rare:
        words = ", ".join(f"{name} ({count})" for name, count in rare.items())
        single = subject.images.task == "single-label"
        yield Finding(
            check="rare-classes",
            severity="fatal" if single else "warning",
            text=f"{agreeing(len(rare), 'class|classes')} in fewer than {FEWEST_GROUPS} groups "
            f"({subject.images.group_word}): {words}",
            cure="Add images of other groups, or drop or merge the class.",
            figures=rare,
        )


def _imbalance(counts: dict[str, int], cure: str) -> Iterator[Finding]:
    held = {name: count for name, count in counts.items() if count}
    if held and max(held.values()) > IMBALANCE * min(held.values()):
        rarest = min(held, key=lambda name: held[name])
        ratio = max(held.values()) / held[rarest]
        yield Finding(
            check="imbalance",
            severity="warning",
            text=f"'{rarest}' is {ratio:.0f} times rarer than the largest class",
            cure=cure,
            figures={"ratio": round(ratio, 1), "rarest": rarest},
        )


def group_findings(subject: Subject) -> Iterator[Finding]:
    """How many groups, and groups that lie in two parts."""
    images = subject.images
    sizes = Counter(sample.group for sample in images.samples)
    yield Finding(
        check="groups",
        severity="note",
        text=f"{plural('image', len(images.samples))} in {plural('group', len(sizes))} "
        f"({images.group_word}), the largest of {max(sizes.values()):,}",
        figures={"images": len(images.samples), "groups": len(sizes), "word": images.group_word},
    )
    held: dict[str, dict[str, list[str]]] = {}
    for sample in images.samples:
        if sample.name in subject.parts:
            parts = held.setdefault(sample.group, {})
            parts.setdefault(subject.parts[sample.name], []).append(sample.name)
    cut = {group: parts for group, parts in held.items() if len(parts) > 1}
    if cut:
        affected = sum(len(names) for parts in cut.values() for names in parts.values())
        yield Finding(
            check="shared-groups",
            severity="warning",
            text=f"{plural('group', len(cut))} ({images.group_word}) with {affected:,} images "
            f"{agreeing(len(cut), 'lies|lie')} in two parts",
            cure="Training leaves their images out of the earlier part; or use the proposed parts.",
            figures={"groups": len(cut), "images": affected},
            groups=[[n for names in parts.values() for n in names] for parts in cut.values()],
        )


def mixed_findings(subject: Subject) -> Iterator[Finding]:
    """Numbered subjects (``personN``) in two exclusive classes, in two parts, or in two groups.

    Where a common group holds them, what is said of groups says it.
    """
    held: dict[str, list[Sample]] = {}
    for sample in subject.images.samples:
        if person := person_of(sample.name):
            held.setdefault(person, []).append(sample)
    if subject.images.task == "single-label":
        cure = "Group by that number, and have the labels of these persons looked at."
        mixed = [person for person, found in held.items() if _in_two_classes(subject, found)]
        yield from _shared_numbers("classes", held, mixed, cure)
    cure = (
        "Group by that number in a table, as the proposed parts do, unless those of other {what} "
        "are other persons."
    )
    cut = [person for person, found in held.items() if _in_two_parts(subject, found)]
    yield from _shared_numbers("parts", held, cut, cure.format(what="parts"))
    if not subject.parts and not knows_patients(subject.images):
        loose = [person for person, found in held.items() if _in_two_groups(found)]
        yield from _shared_numbers("groups", held, loose, cure.format(what="folders"))


def _in_two_classes(subject: Subject, samples: Sequence[Sample]) -> bool:
    return len({word for sample in samples for word in subject.label_words(sample)}) > 1


def _in_two_parts(subject: Subject, samples: Sequence[Sample]) -> bool:
    placed = [sample for sample in samples if sample.name in subject.parts]
    parts = {subject.parts[sample.name] for sample in placed}
    return len(parts) > 1 and _in_two_groups(placed)


def _in_two_groups(samples: Sequence[Sample]) -> bool:
    return len({sample.group for sample in samples}) > 1


def _shared_numbers(
    what: str, held: dict[str, list[Sample]], shared: Sequence[str], cure: str
) -> Iterator[Finding]:
    if shared:
        how_many = "several" if what == "groups" else "two"
        groups = [[sample.name for sample in held[person]] for person in sorted(shared)]
        images = sum(map(len, groups))
        yield Finding(
            check=f"person-in-two-{what}",
            severity="warning",
            text=f"{len(shared):,} of {plural('number', len(held))} of persons in names of files "
            f"or folders {agreeing(len(shared), 'occurs|occur')} in {how_many} {what} "
            f"({images} images), for example {min(shared)}",
            cure=cure,
            figures={"persons": len(held), "shared": len(shared), "images": images},
            groups=groups,
        )


def knows_patients(images: ImageSet) -> bool:
    """Whether groups are patients, so that numbers in file names add nothing."""
    return "patient" in images.group_word


def person_of(name: str) -> str:
    """The number of a subject in a file's name or path, or none.

    A file name that begins with one, for example ``person12``; else a folder inside that of a class
    which is nothing else, for example ``covid/CT/patient 7``: with all folders above but those of
    a split, since numbers may begin anew in each.
    """
    *folders, last = name.split("/")
    match = _IN_NAME.match(last)
    if match:
        return match[1].lower()
    placed = [folder for folder in folders if folder.lower() not in SPLIT_FOLDERS]
    own = next((at for at, word in enumerate(placed) if at and _FOLDER.fullmatch(word)), 0)
    return "/".join(placed[: own + 1]).lower() if own else ""


def label_findings(subject: Subject) -> Iterator[Finding]:
    """Images without label, and unknown entries of a multi-label set."""
    images = subject.images
    if images.task == "segmentation":
        return
    bare = [sample.name for sample in images.samples if sample.label is None]
    if bare:
        yield Finding(
            check="unlabelled",
            severity="note",
            text=f"{share(len(bare), len(images.samples), 'image')} "
            f"{agreeing(len(bare), 'has|have')} no label",
            figures={"images": len(bare)},
        )
    entries = [v for s in images.samples if isinstance(s.label, tuple) for v in s.label]
    unknown = sum(math.isnan(value) for value in entries)
    if unknown:
        grave = unknown > len(entries) / 2
        yield Finding(
            check="unknown-labels",
            severity="warning" if grave else "note",
            text=f"{share(unknown, len(entries), 'entry')} of the labels "
            f"{agreeing(unknown, 'is|are')} missing or uncertain, and masked",
            cure="Read blanks as 0 yourself if your source says so." if grave else "",
            figures={"entries": len(entries), "unknown": unknown},
        )
