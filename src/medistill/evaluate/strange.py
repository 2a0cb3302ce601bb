"""How many images of another kind the trust gate catches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medistill.bundle.trust import TrustScores, trust_scores
from medistill.core.types import Task
from medistill.evaluate.arrays import Floats
from medistill.evaluate.examined import Examined
from medistill.evaluate.ranking import binary_auroc
from medistill.evaluate.shares import clusters, share


@dataclass(frozen=True, kw_only=True, eq=False)
class StrangeSet:
    """What a model said of images that are not of its kind.

    Attributes:
        logits: (N, K) or (N, K, H, W).
        features: (N, D) pooled features, or None.
        groups: group of each image; made from known images, they keep these images' groups.
        near: whether it is of the same modality, and so harder to tell.
    """

    logits: Floats
    features: Floats | None
    groups: tuple[str, ...]
    near: bool


def strange_values(
    known: Examined, strange: Mapping[str, StrangeSet], *, task: Task, word: str
) -> dict[str, Any]:
    """False alarms on *evaluate* and what is caught, or ``reason``.

    Args:
        known: a model with its gate, and its answers on *evaluate*.
        strange: by name.
        task: what the labels are.
        word: what a group is called.

    Returns:
        ``allowed``: share of known images that may be stopped; ``false_alarms``: share that was,
        with interval; ``sets``: for each set ``images``, ``near``, ``caught`` with interval, and
        the AUROC of ``total``, ``energy`` and ``distance`` against *evaluate*.
    """
    gate = known.fitted.decisions.trust
    if gate is None:
        return {"reason": known.fitted.decisions.refusals.get("trust", "not fitted")}
    usual = trust_scores(known.evaluate.logits, gate, task=task, features=known.evaluate.features)
    drawn = clusters(known.evaluate.groups, word=word)
    found = {
        name: trust_scores(each.logits, gate, task=task, features=each.features)
        for name, each in strange.items()
    }
    return {
        "allowed": gate.false_alarms,
        "with_features": gate.features is not None,
        "false_alarms": share(~usual.trusted, None, drawn).to_json(),
        "sets": {
            name: {
                "images": len(strange[name].groups),
                "near": strange[name].near,
                "caught": share(
                    ~scores.trusted, None, clusters(strange[name].groups, word=word)
                ).to_json(),
                "auroc": _areas(usual, scores),
            }
            for name, scores in found.items()
        },
    }


def _areas(usual: TrustScores, strange: TrustScores) -> dict[str, float | None]:
    pairs = {
        "total": (usual.total, strange.total),
        "energy": (usual.energy, strange.energy),
    }
    if usual.distance is not None and strange.distance is not None:
        pairs["distance"] = (usual.distance, strange.distance)
    return {name: _area(*pair) for name, pair in pairs.items()}


def _area(usual: Floats, strange: Floats) -> float | None:
    scores = np.concatenate([usual, strange])
    if not np.isfinite(scores).all():
        return None
    truth = np.arange(scores.size) >= usual.size
    area = float(binary_auroc(truth, scores))
    return None if np.isnan(area) else area
