"""Small teachers, one whose answers are known by hand and one with all that could drift; a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from medistill.data.views import ViewPolicy
from medistill.imaging.preprocessing import Preprocessing
from medistill.models.network import Network
from medistill.models.outputs import Outputs
from medistill.teacher.cache_plan import CachePlan, plan_cache
from medistill.teacher.frozen import FrozenTeacher
from tests.unit.data.memory_store import MemoryStore, random_store


class Constant(nn.Module):
    """Says the same of every image."""

    channels = 1
    feature_names = frozenset({"pooled"})

    def __init__(self, logits: Sequence[float], pooled: Sequence[float] = (0.0,)) -> None:
        super().__init__()
        self.classes = len(logits)
        self.logits = nn.Parameter(torch.tensor(logits))
        self.register_buffer("pooled", torch.tensor(pooled))

    def forward(self, x: Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        features = {name: self.pooled.expand(len(x), -1) for name in want}
        return Outputs(self.logits.expand(len(x), -1), features)


class Drifting(nn.Module):
    """Batch normalisation and dropout: in train mode every look at an image changes it."""

    channels = 1
    classes = 3
    feature_names = frozenset({"pooled", "stage0"})

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, stride=4)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        stage = self.norm(self.stem(x)).relu()
        pooled = self.drop(stage.mean(dim=(2, 3)))
        known = {"pooled": pooled, "stage0": stage}
        return Outputs(self.head(pooled), {name: known[name] for name in want})


def constant(logits: Sequence[float], pooled: Sequence[float] = (0.0,)) -> Network:
    return Network(Constant(logits, pooled), Preprocessing(size=8, mean=(0.5,), std=(0.5,)))


def drifting(seed: int = 0, *, size: int = 12) -> Network:
    torch.manual_seed(seed)
    return Network(Drifting(), Preprocessing(size=size, mean=(0.5,), std=(0.5,)))


def cache_plan(**changes: Any) -> CachePlan:
    """A plan of 30 images (one twice) in 3 views: 87 rows in 6 shards of 16."""
    store = changes.pop("store", None) or store_with_a_duplicate()
    given: dict[str, Any] = {
        "store": store,
        "rows": range(len(store)),
        "policy": ViewPolicy(count=3),
        "teacher": FrozenTeacher([drifting()]),
        "needs": frozenset({"logits", "stage0"}),
        "shard_rows": 16,
    }
    return plan_cache(**{**given, **changes})


def store_with_a_duplicate() -> MemoryStore:
    images = random_store(29)
    return MemoryStore([*(images[row] for row in range(29)), images[4]])
