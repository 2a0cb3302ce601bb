"""Images that cannot be right: unreadable, constant, inverted, out of range, lettered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from medistill.check.finding import Finding, share
from medistill.check.subject import Subject
from medistill.core.counting import agreeing
from medistill.core.errors import DataError
from medistill.core.types import Sample
from medistill.data.reading import Place
from medistill.imaging.picture import REPLACE
from medistill.imaging.window import WINDOW_OPTIONS

#: Gray between the 1st and 99th percentile below which a picture is constant, or hardly visible.
CONSTANT, DIM = 0.004, 0.08
#: Share of full white from which a picture is burnt out.
BURNT = 0.6
#: Correlation with what all have in common below which a picture looks inverted, where that of most
#: is beyond the other; or where at most so many are near neither it nor its inverse.
INVERTED, ALIKE, BETWEEN = -0.3, 0.4, 0.1
_FEWEST = 8
_ROWS, _SIDE = 1024, 16


def quality_findings(subject: Subject) -> Iterator[Finding]:
    """Unreadable, constant, dim, burnt-out and inverted-looking images; mixed formats."""
    yield from _unreadable(subject)
    names = [sample.name for sample in subject.readable]
    constant, dim, burnt = [], [], []
    kinds: Counter[str] = Counter()
    for name in names:
        facts = subject.facts[name]
        kinds[facts.kind] += 1
        spread = facts.high - facts.low
        if spread < CONSTANT:
            constant.append(name)
            continue
        if spread < DIM:
            dim.append(name)
        if facts.white > BURNT:
            burnt.append(name)
    total = len(names)
    yield from _listed("constant", constant, total, "shows|show one gray alone", "Remove them.")
    cure = (
        f"For CT name a window ({WINDOW_OPTIONS}), or export with a display window: the gray scale "
        "is lost."
    )
    words = "uses|use less than a twelfth of the gray scale"
    yield from _listed("dim", dim, total, words, cure)
    yield from _listed("burnt-out", burnt, total, "is|are mostly full white", cure)
    cure = (
        "Check MONOCHROME1 and how they were exported; invert or remove them (of half and half it "
        "may be the others)."
    )
    inverted = _inverted(subject, names)
    yield from _listed("inverted", inverted, total, "looks|look inverted", cure)
    if kinds:
        yield _formats(kinds)


def _formats(kinds: Counter[str]) -> Finding:
    words = ", ".join(f"{kind} {count:,}" for kind, count in kinds.most_common(6))
    return Finding(check="formats", severity="note", text=words, figures=dict(kinds))


def text_findings(subject: Subject) -> Iterator[Finding]:
    """Images with what looks like burnt-in text."""
    names = [s.name for s in subject.readable if subject.facts[s.name].letters]
    if names:
        ordered = sorted(names, key=lambda name: -subject.facts[name].letters)
        yield Finding(
            check="burnt-in-text",
            severity="warning",
            text=f"{share(len(names), len(subject.readable), 'image')} "
            f"{agreeing(len(names), 'seems|seem')} to hold burnt-in text",
            cure="Look at the sheet: text may name a patient, a side or a hospital; crop or cover.",
            figures={"images": len(names)},
            groups=[ordered],
        )


_SKIP = "Replace or remove them, or leave them out of a run with data.skip_unreadable=true."
_OR_SKIP = "Or leave them out of a run with data.skip_unreadable=true."
_NOWHERE = (
    "Look at one of them; if it is said not to exist: a table's paths begin at its own folder, and "
    "capitals and endings count."
)


def _unreadable(subject: Subject) -> Iterator[Finding]:
    problems = {n: f.problem for n, f in subject.facts.items() if f.problem}
    if problems:
        first = next(iter(problems.items()))
        sample = next(s for s in subject.images.samples if s.name == first[0])
        every = len(problems) == len(subject.facts)
        own = _own_cure(sample) if sample.path.is_file() else ""
        cure = " ".join(filter(None, (own, "" if every else _OR_SKIP)))
        yield Finding(
            check="unreadable",
            severity="fatal",
            text=f"{share(len(problems), len(subject.facts), 'image')} cannot be read, for example "
            f"{first[0]}: {first[1]}",
            cure=cure if own else _NOWHERE if every else _SKIP,
            figures={"images": len(problems), "reasons": dict(Counter(problems.values()))},
            groups=[list(problems)],
        )


def _own_cure(sample: Sample) -> str:
    """What its reader says is to be done, beyond replacing the file."""
    try:
        Place.of(sample).read(None)
    except DataError as error:
        return "" if error.cure == REPLACE else error.cure
    return ""


def _listed(check: str, names: list[str], total: int, words: str, cure: str) -> Iterator[Finding]:
    if names:
        yield Finding(
            check=check,
            severity="warning",
            text=f"{share(len(names), total, 'image')} {agreeing(len(names), words)}",
            cure=cure,
            figures={"images": len(names)},
            groups=[names],
        )


def _inverted(subject: Subject, names: list[str]) -> list[str]:
    """Images against most of the set: only where most are alike, or inverted, can one be judged.

    A breast or a knee of the other side is the mirror image of the first, and not inverted.
    """
    if len(names) < _FEWEST:
        return []
    held = b"".join(bytes.fromhex(subject.facts[name].thumb) for name in names)
    likeness = _likeness(np.frombuffer(held, dtype=np.uint8).reshape(len(names), -1))
    between = float((np.abs(likeness[:, 0]) < -INVERTED).mean())
    if np.median(likeness[:, 0]) < ALIKE and between > BETWEEN:
        return []
    closest = likeness.max(axis=1).tolist()
    return [name for name, value in zip(names, closest, strict=True) if value < INVERTED]


def _likeness(thumbs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Correlation of each small picture, (N, 256), with what they have in common and its mirror.

    That is their first principal component, which an image and its inverse point to alike, so that
    half of a set may be inverted; its sign is that of most. Shape (N, 2).
    """
    # Some at a time: all as floating-point numbers would be 1 KB an image.
    rows = [slice(start, start + _ROWS) for start in range(0, len(thumbs), _ROWS)]
    common = np.linalg.eigh(sum(_unit(thumbs[r]).T @ _unit(thumbs[r]) for r in rows))[1][:, -1]
    mirrored = common.reshape(_SIDE, _SIDE)[:, ::-1].ravel()
    both = np.stack([common, mirrored], axis=1)
    likeness = np.concatenate([_unit(thumbs[r]) @ both for r in rows]).astype(np.float32)
    inverted = (likeness[:, 0] < 0).sum() > len(likeness) / 2
    return -likeness if inverted else likeness


def _unit(thumbs: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Without their mean, and of length 1."""
    held = thumbs - thumbs.mean(axis=1, keepdims=True)
    return np.asarray(held / np.maximum(np.linalg.norm(held, axis=1, keepdims=True), 1e-6))
