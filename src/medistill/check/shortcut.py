"""How well what is no anatomy predicts the label: header facts, and corners and borders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medistill.check.finding import Finding
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


@dataclass(frozen=True)
class _Evidence:
    """Cross-validated AUROC of one class from one kind of facts."""

    class_: str
    source: str
    estimate: Estimate


def shortcut_findings(subject: Subject, *, seed: int = 0) -> Iterator[Finding]:
    """Whether file facts or the picture's rim predict a class, cross-validated by group."""
    samples = _chosen(subject, seed)
    if subject.images.task == "segmentation" or len(samples) < FEWEST:
        return
    found: list[_Evidence] = []
    for source, features in _sources(subject, samples).items():
        if features.shape[1] and (np.ptp(features, axis=0) > 0).any():
            found += _judge(subject, samples, source, features, seed)
    for source in ("header", "rim"):
        yield from _finding(source, [item for item in found if item.source == source])


def _finding(source: str, found: Sequence[_Evidence]) -> Iterator[Finding]:
    known = [item for item in found if item.estimate.low is not None]
    if not known:
        return
    worst = max(known, key=lambda item: item.estimate.low or 0)
    low, value = worst.estimate.low or 0.0, worst.estimate.estimate or 0.0
    what = {
        "header": "file facts alone (format, mode, depth, size, bytes, device)",
        "rim": "the four corners and borders alone",
    }[source]
    severity = "fatal" if low >= FATAL else "warning" if low >= SUSPICIOUS else "note"
    yield Finding(
        check=f"{source}-predicts-class",
        severity="fatal" if severity == "fatal" else "warning" if low >= SUSPICIOUS else "note",
        text=f"{what} tell '{worst.class_}' with AUROC {value:.2f} "
        f"({low:.2f} to {worst.estimate.high:.2f})",
        cure="A model will learn the source, not the disease: bring all classes from the same "
        "sources, in one format and size, or crop the rim."
        if low >= SUSPICIOUS
        else "",
        figures={
            item.class_: {
                "auroc": round(item.estimate.estimate or 0, 4),
                "low": round(item.estimate.low or 0, 4),
                "high": round(item.estimate.high or 0, 4),
            }
            for item in known
        },
    )


def _chosen(subject: Subject, seed: int) -> list[Sample]:
    held = [s for s in subject.readable if s.label is not None]
    if len(held) <= MOST:
        return held
    rows = np.random.default_rng(seed).choice(len(held), MOST, replace=False)
    return [held[row] for row in sorted(rows.tolist())]


def _sources(subject: Subject, samples: Sequence[Sample]) -> dict[str, Matrix]:
    facts = [subject.facts[sample.name] for sample in samples]
    size = [
        (np.log(f.width), np.log(f.height), f.width / f.height, np.log(f.size_bytes + 1))
        for f in facts
    ]
    per_pixel = [[f.size_bytes / (f.width * f.height)] for f in facts]
    kinds = _one_hot([f.kind for f in facts])
    devices = _one_hot([sample.attributes.get("device", "") for sample in samples])
    text = [[float(f.letters > 0)] for f in facts]
    return {
        "header": np.hstack([np.array(size), np.array(per_pixel), kinds, devices]),
        "rim": np.hstack([np.array([(*f.corners, *f.edges) for f in facts]), np.array(text)]),
    }


def _one_hot(words: Sequence[str], most: int = 20) -> Matrix:
    names, counts = np.unique(words, return_counts=True)
    kept = names[np.argsort(-counts)][:most]
    return np.array([[float(word == name) for name in kept] for word in words], dtype=np.float64)


def _judge(
    subject: Subject, samples: Sequence[Sample], source: str, features: Matrix, seed: int
) -> Iterator[_Evidence]:
    groups = np.unique([sample.group for sample in samples], return_inverse=True)[1].ravel()
    for name, truth in subject.class_truth(samples).items():
        known = ~np.isnan(truth)
        positive = truth[known] == 1
        two = subject.images.task == "single-label" and len(subject.images.classes) == 2
        if two and name == subject.images.classes[0]:
            continue  # the other class says the same
        if min(positive.sum(), (~positive).sum()) < FEWEST // 2:
            continue
        estimate = _auroc(features[known], positive, groups[known], subject.images.group_word, seed)
        if estimate is not None:
            yield _Evidence(name, source, estimate)


def _auroc(
    features: Matrix, truth: NDArray[np.bool_], groups: NDArray[np.int64], word: str, seed: int
) -> Estimate | None:
    from sklearn.ensemble import ExtraTreesClassifier

    from medistill.data.grouped_folds import GroupedFolds

    spread = min(len(np.unique(groups[truth])), len(np.unique(groups[~truth])))
    if spread < FOLDS:
        return None
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
