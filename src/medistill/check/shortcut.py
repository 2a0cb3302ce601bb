"""How well what is no diagnosis predicts the label: header facts, lengths, corners and borders."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from medistill.check.finding import Finding, Severity
from medistill.check.subject import Subject
from medistill.core.types import Sample
from medistill.evaluate.intervals import Estimate, Support, estimate_with_interval
from medistill.evaluate.ranking import binary_auroc

Matrix = NDArray[np.float64]
#: Lower end of the interval from which a shortcut is said, and from which it stops a training.
SUSPICIOUS, FATAL = 0.6, 0.9
FOLDS, RESAMPLES, TREES, FEWEST = 5, 400, 50, 20
#: Resamples drawn at once, and how often.
_DRAWN, _TIMES = 20, RESAMPLES // 20
#: Most images that are judged: more would cost time and change nothing.
MOST = 5000
#: Of headers and of tables: what made an image, and where.
_MAKERS = (
    *("device", "scanner", "manufacturer", "vendor", "model"),
    *("site", "center", "centre", "hospital", "institution", "source"),
)
#: Most classes that are named.
_SHOWN = 6


@dataclass(frozen=True)
class _Source:
    """A kind of facts: the check's name, in words, what to do, and whether it stops a training."""

    check: str
    words: str
    cure: str
    stops: bool = True


_SOURCE = (
    "A model will learn the source, not the disease: bring all classes from the same sources, in "
    "one format and size"
)
_SOURCES: Mapping[str, _Source] = MappingProxyType(
    {
        "header": _Source(
            "header-predicts-class",
            "file facts alone ({}) tell",
            f"{_SOURCE}.",
        ),
        # Detail is anatomy too, so that this stops nothing.
        "bytes": _Source(
            "bytes-predict-class",
            "the lengths of the files alone, in bytes, tell",
            "Compression is a source, which a model will learn; detail may be the disease, or the "
            "sharpness of a device: look which, and write all files in one way from the originals.",
            stops=False,
        ),
        "rim": _Source(
            "rim-predicts-class",
            "the four corners and borders alone tell",
            f"{_SOURCE}, or crop the rim.",
        ),
    }
)


@dataclass(frozen=True)
class _Evidence:
    """Cross-validated AUROC of one class from one kind of facts."""

    class_: str
    source: str
    estimate: Estimate

    @property
    def bound(self) -> float:
        """What the AUROC is at least; of too few groups for an interval a very high one counts."""
        if self.estimate.low is not None:
            return self.estimate.low
        return SUSPICIOUS if (self.estimate.estimate or 0) >= FATAL else 0.0

    @property
    def words(self) -> str:
        """The value and its interval, or why there is none."""
        value, low, high = self.estimate.estimate or 0, self.estimate.low, self.estimate.high
        if low is None or high is None:
            return f"AUROC {value:.2f}; it has no interval: {self.estimate.reason}"
        return f"AUROC {value:.2f} ({low:.2f} to {high:.2f})"

    def figures(self) -> dict[str, float | None]:
        """As JSON; ends that are missing are null."""
        of, names = self.estimate, ("auroc", "low", "high")
        values = zip(names, (of.estimate, of.low, of.high), strict=True)
        return {name: None if value is None else round(value, 4) for name, value in values}


def shortcut_findings(subject: Subject, *, seed: int = 0) -> Iterator[Finding]:
    """Whether file facts or the picture's rim predict a class, cross-validated by group.

    Of a class (or all others) in fewer than ten groups there is no interval: an AUROC of ``FATAL``
    is a warning then, which groups without any such fact reach once in twenty sets or less. In
    fewer than five groups, or ten images, nothing is judged, and that is said.
    """
    samples = _chosen(subject, seed)
    if subject.images.task == "segmentation" or len(samples) < FEWEST:
        return
    judged = list(_judged_classes(subject, samples))
    for name, parts in _features(subject, samples).items():
        told = {words: part for words, part in parts.items() if _varies(part)}
        if told:
            features = np.hstack(list(told.values()))
            found = [e for c in judged if (e := _judge(c, name, features, seed)) is not None]
            yield from _finding(_SOURCES[name], ", ".join(told), found)
    yield from _not_judged(subject, [case.name for case in judged])


def _varies(features: Matrix) -> bool:
    return bool(features.shape[1] and (np.ptp(features, axis=0) > 0).any())


def _finding(source: _Source, told: str, found: Sequence[_Evidence]) -> Iterator[Finding]:
    if not found:
        return
    worst = max(found, key=lambda item: (item.bound, item.estimate.estimate or 0))
    severity: Severity = "note" if worst.bound < SUSPICIOUS else "warning"
    yield Finding(
        check=source.check,
        severity="fatal" if source.stops and worst.bound >= FATAL else severity,
        text=f"{source.words.format(told)} '{worst.class_}' with {worst.words}",
        cure="" if severity == "note" else source.cure,
        figures={item.class_: item.figures() for item in found},
    )


def _chosen(subject: Subject, seed: int) -> list[Sample]:
    held = [s for s in subject.readable if s.label is not None]
    if len(held) <= MOST:
        return held
    rows = np.random.default_rng(seed).choice(len(held), MOST, replace=False)
    return [held[row] for row in sorted(rows.tolist())]


def _features(subject: Subject, samples: Sequence[Sample]) -> dict[str, dict[str, Matrix]]:
    """Matrices of N rows by source, and of each what they say in words."""
    facts = [subject.facts[sample.name] for sample in samples]
    size = [(np.log(f.width), np.log(f.height), f.width / f.height) for f in facts]
    length = [(np.log(f.size_bytes + 1), f.size_bytes / (f.width * f.height)) for f in facts]
    kinds = _one_hot([f.kind for f in facts])
    makers = [_one_hot([s.attributes.get(name, "") for s in samples]) for name in _MAKERS]
    rim = [(*f.corners, *f.edges, float(f.letters > 0)) for f in facts]
    return {
        "header": {
            "size in pixels": np.array(size),
            "format, mode, depth": kinds,
            "device, site": np.hstack(makers),
        },
        "bytes": {"bytes": np.array(length)},
        "rim": {"rim": np.array(rim)},
    }


def _one_hot(words: Sequence[str], most: int = 20) -> Matrix:
    names, counts = np.unique(words, return_counts=True)
    kept = names[np.argsort(-counts)][:most]
    return np.array([[float(word == name) for name in kept] for word in words], dtype=np.float64)


@dataclass(frozen=True)
class _Case:
    """A class that can be judged: which rows are known, and of those whether it is there."""

    name: str
    rows: NDArray[np.bool_]
    truth: NDArray[np.bool_]
    groups: NDArray[np.int64]
    word: str


def _asked(subject: Subject) -> Sequence[str]:
    """Classes to be told from all others; of two exclusive ones the second says the same."""
    classes = subject.images.classes
    two = subject.images.task == "single-label" and len(classes) == 2
    return classes[1:] if two else classes


def _judged_classes(subject: Subject, samples: Sequence[Sample]) -> Iterator[_Case]:
    groups = np.unique([sample.group for sample in samples], return_inverse=True)[1].ravel()
    truths = subject.class_truth(samples)
    for name in _asked(subject):
        known = ~np.isnan(truths[name])
        truth, held = truths[name][known] == 1, groups[known]
        images = min(truth.sum(), (~truth).sum())
        spread = min(len(np.unique(held[truth])), len(np.unique(held[~truth])))
        if images >= FEWEST // 2 and spread >= FOLDS:
            yield _Case(name, known, truth, held, subject.images.group_word)


def _not_judged(subject: Subject, judged: Collection[str]) -> Iterator[Finding]:
    """So that silence is not taken for a class without a shortcut."""
    left = [name for name in _asked(subject) if name not in judged]
    if left:
        more = f" and {len(left) - _SHOWN:,} more" if len(left) > _SHOWN else ""
        names = ", ".join(f"'{name}'" for name in left[:_SHOWN])
        yield Finding(
            check="shortcuts-not-judged",
            severity="note",
            text=f"whether file facts or the rim tell {names}{more} was not judged: fewer than "
            f"{FEWEST // 2} images or {FOLDS} groups ({subject.images.group_word}) with or "
            "without it",
            figures={"classes": left},
        )


def _judge(case: _Case, source: str, features: Matrix, seed: int) -> _Evidence | None:
    estimate = _auroc(features[case.rows], case.truth, case.groups, case.word, seed)
    return None if estimate is None else _Evidence(case.name, source, estimate)


def _auroc(
    features: Matrix, truth: NDArray[np.bool_], groups: NDArray[np.int64], word: str, seed: int
) -> Estimate | None:
    from sklearn.ensemble import ExtraTreesClassifier

    from medistill.data.grouped_folds import GroupedFolds

    scores = np.zeros(len(truth))
    folds = GroupedFolds(FOLDS, shuffle=True, random_state=seed)
    for train, held in folds.split(features, truth, groups):
        if len(np.unique(truth[train])) < 2:
            return None
        model = ExtraTreesClassifier(TREES, min_samples_leaf=3, random_state=seed, n_jobs=1)
        model.fit(features[train], truth[train])
        scores[held] = model.predict_proba(features[held])[:, 1]
    return _interval(truth, scores, groups, word, seed)


def _interval(
    truth: NDArray[np.bool_], scores: Matrix, groups: NDArray[np.int64], word: str, seed: int
) -> Estimate:
    numbers = np.unique(groups, return_inverse=True)[1].ravel()
    count = int(numbers.max()) + 1
    draw = np.random.default_rng(seed)
    # A few at a time: the weights of all would be 3 KB an image, several times over.
    drawn = (draw.multinomial(count, [1 / count] * count, size=_DRAWN) for _ in range(_TIMES))
    resampled = np.concatenate(
        [binary_auroc(truth, scores, draws[:, numbers].astype(np.float64)) for draws in drawn]
    )
    carriers = min(len(np.unique(numbers[truth])), len(np.unique(numbers[~truth])))
    return estimate_with_interval(
        float(binary_auroc(truth, scores)),
        resampled,
        scale="unit",
        support=Support(carriers=carriers, groups=count, folds=1, word=word),
    )
