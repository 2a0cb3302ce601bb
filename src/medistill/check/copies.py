"""Exact and near copies: within and across parts, and with conflicting labels."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np

from medistill.check.classes import knows_patients, person_of
from medistill.check.facts import Facts
from medistill.check.finding import Finding, share
from medistill.check.near import by, root_of, tight_clusters
from medistill.check.subject import Subject
from medistill.core.counting import agreeing, plural
from medistill.core.types import ImageSet, Sample
from medistill.data.closest import CLOSEST

#: A cluster of more than this share of the set is refused, and of more than ten images: of a small
#: set a few slices of one patient are that share.
LARGEST_SHARE = 0.05
_FEWEST_LARGE = 10


def copy_findings(subject: Subject) -> Iterator[Finding]:
    """Pictures that are the same pixel by pixel, whatever their format."""
    samples = subject.readable
    names = [sample.name for sample in samples]
    clusters = by((subject.facts[name].content for name in names), names)
    several = [held for held in clusters.values() if len(held) > 1]
    if several:
        count = sum(len(held) - 1 for held in several)
        yield Finding(
            check="exact-copies",
            severity="warning",
            text=f"{share(count, len(names), 'image')} "
            f"{agreeing(count, 'is|are copied from')} another, pixel by pixel",
            cure="Remove the copies; until then give each cluster one group.",
            figures={"copies": count, "clusters": len(several)},
            groups=several,
        )
    yield from _conflicts(subject, several, "exact-copies-with-other-labels", "fatal")
    yield from _across(subject, several, "exact-copies-across-parts")


def near_findings(subject: Subject) -> Iterator[Finding]:
    """Pictures that are the same but for encoding, gray scale, a small shift or a crop."""
    clusters = subject.near_copies
    names = [name for held in clusters for name in held]
    near = [held for held in clusters if len({subject.facts[n].content for n in held}) > 1]
    if near:
        count = sum(map(len, near))
        yield Finding(
            check="near-copies",
            severity="warning",
            text=f"{share(count, len(names), 'image')} have a near copy (re-encoded, shifted, "
            f"cropped), in {plural('cluster', len(near))}, the largest of {max(map(len, near))}",
            cure="Keep each cluster in one part: the proposed groups do.",
            figures={"images": count, "clusters": len(near), "largest": max(map(len, near))},
            groups=sorted(near, key=len, reverse=True),
        )
    yield from _conflicts(subject, near, "near-copies-with-other-labels", "warning")
    yield from _across(subject, near, "near-copies-across-parts")
    yield from _large(clusters, len(names))


def _conflicts(
    subject: Subject, clusters: Sequence[Sequence[str]], check: str, severity: str
) -> Iterator[Finding]:
    samples = {sample.name: sample for sample in subject.images.samples}
    wrong = [h for h in clusters if _contradicts(subject, [samples[name] for name in h])]
    if wrong:
        single = subject.images.task == "single-label"
        yield Finding(
            check=check,
            severity="fatal" if severity == "fatal" else "warning",
            text=f"{plural('cluster', len(wrong))} of copies "
            f"{agreeing(len(wrong), 'holds|hold')} images "
            + ("of different classes" if single else "whose labels contradict each other"),
            cure="Have their labels looked at: at most one can be right.",
            figures={"clusters": len(wrong)},
            groups=wrong,
        )


def _contradicts(subject: Subject, copies: Sequence[Sample]) -> bool:
    """Whether a class is known to be there in one copy and not to be there in another."""
    truth = subject.class_truth(copies).values()
    return any((known == 1).any() and (known == 0).any() for known in truth)


def _across(subject: Subject, clusters: Sequence[Sequence[str]], check: str) -> Iterator[Finding]:
    """Copies in two parts that no common group holds together."""
    group = {s.name: s.group for s in subject.images.samples}
    cut = [h for h in clusters if len({subject.parts[n] for n in h if n in subject.parts}) > 1]
    loose = [held for held in cut if len({group[name] for name in held}) > 1]
    certain = [held for held in loose if _certain(subject, held)]
    if loose:
        images = sum(len(held) for held in loose)
        yield Finding(
            check=check,
            severity="fatal" if certain else "warning",
            text=f"{plural('cluster', len(loose))} of copies ({images:,} images) "
            f"{agreeing(len(loose), 'lies|lie')} in two parts, {len(certain):,} of them "
            f"within {CLOSEST} bits",
            cure="Use the proposed parts, or put each cluster into one group.",
            figures={"clusters": len(loose), "images": images, "certain": len(certain)},
            groups=[*certain, *(held for held in loose if held not in certain)],
        )


def _certain(subject: Subject, cluster: Sequence[str]) -> bool:
    """Whether two members in different parts are all but the same."""
    held = [
        (subject.parts[n], int(subject.facts[n].bits, 16)) for n in cluster if n in subject.parts
    ]
    return any(
        one != two and (first ^ second).bit_count() <= CLOSEST
        for (one, first), (two, second) in combinations(held, 2)
    )


def closest_copies(
    facts: Mapping[str, Facts], labelled: Sequence[str], others: Sequence[str]
) -> dict[str, list[str]]:
    """Labelled images that others are certain copies of.

    That is, as across parts: the same pixel by pixel, or near copies within ``CLOSEST`` bits.

    Args:
        facts: of each image by name.
        labelled: images of which copies are looked for.
        others: what may be a copy.

    Returns:
        For each of the others that is a copy, the labelled images that it is a copy of, sorted.
    """
    readable = [name for name in (*labelled, *others) if not facts[name].problem]
    exact = by((facts[name].content for name in readable), readable).values()
    known, found = set(labelled), dict[str, set[str]]()
    for cluster in (*exact, *tight_clusters(facts, readable)):
        originals = [name for name in cluster if name in known]
        for name in cluster if originals else ():
            same = {other for other in originals if _are_closest(facts[name], facts[other])}
            if name not in known and same:
                found.setdefault(name, set()).update(same)
    return {name: sorted(same) for name, same in found.items()}


def _are_closest(one: Facts, two: Facts) -> bool:
    bits = (int(one.bits, 16) ^ int(two.bits, 16)).bit_count()
    return one.content == two.content or bits <= CLOSEST


def _large(clusters: Sequence[Sequence[str]], total: int) -> Iterator[Finding]:
    largest = max(clusters, key=len, default=[])
    if len(largest) > max(_FEWEST_LARGE, LARGEST_SHARE * total):
        yield Finding(
            check="large-cluster",
            severity="fatal",
            text=f"one cluster of near copies holds {share(len(largest), total, 'image')}",
            cure="Such a set has too few different images to be split; look at the pictures.",
            figures={"images": len(largest), "of": total},
            groups=[largest],
        )


def united(subject: Subject) -> dict[str, str]:
    """A group for each readable image that holds its own group and all of its copies together.

    So it does with images of one number of a person, where the groups are no patients. It keeps its
    name, or says how many others were joined to it.
    """
    samples = subject.readable
    names = [sample.name for sample in samples]
    near = {name: held[0] for held in subject.near_copies for name in held}
    row = {name: number for number, name in enumerate(names)}
    parent = np.arange(len(names))
    keys = (
        [f"g{s.group}" for s in samples],
        [f"c{subject.facts[n].content}" for n in names],
        [f"n{near.get(n, n)}" for n in names],
        _persons(subject, names),
    )
    for words in keys:
        for held in by(words, names).values():
            for one, two in pairwise(held):
                parent[root_of(parent, row[two])] = root_of(parent, row[one])
    root = {name: root_of(parent, row[name]) for name in names}
    joined: dict[int, dict[str, None]] = {}
    for sample in samples:
        joined.setdefault(root[sample.name], {})[sample.group] = None
    word = {number: _joined(list(groups)) for number, groups in joined.items()}
    return {name: word[root[name]] for name in names}


def _persons(subject: Subject, names: Sequence[str]) -> list[str]:
    """A key for each image that those of one numbered person share; patients know it better."""
    if knows_patients(subject.images):
        return list(names)
    return [person_of(name) or f"/{name}" for name in names]


def _joined(groups: Sequence[str]) -> str:
    """Unique, since the first group lies nowhere else."""
    return groups[0] if len(groups) == 1 else f"{groups[0]} and {len(groups) - 1} more"


def together(subject: Subject) -> ImageSet:
    """The set with each picture beside its copies, where its group is a guess.

    It goes to the group of a copy whose group is known, else to the most common one. Groups are
    not joined: those that hash alone suggests would chain through a set of slices (to 197 of
    SARS-CoV-2-CT's 1,985).
    """
    samples = {sample.name: sample for sample in subject.images.samples}
    group: dict[str, str] = {}
    for held in subject.near_copies:
        home = _home([samples[name] for name in held])
        group |= {name: home for name in held if samples[name].guessed}
    moved = (
        dataclasses.replace(sample, group=group.get(sample.name, sample.group))
        for sample in subject.images.samples
    )
    return dataclasses.replace(subject.images, samples=tuple(moved))


def _home(copies: Sequence[Sample]) -> str:
    known = [sample.group for sample in copies if not sample.guessed]
    return Counter(known or [sample.group for sample in copies]).most_common(1)[0][0]
