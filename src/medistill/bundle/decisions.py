"""What a graph's outputs may be used for: fitted on *calibrate*, applied wherever it predicts.

Torch-free. One value a graph, because a quantised graph has outputs, and so parameters, of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from medistill.bundle.conformal import Conformal
from medistill.bundle.thresholds import ThresholdChoice
from medistill.bundle.trust import TrustGate


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """How far a graph's answers go.

    Attributes:
        choice: how its thresholds were chosen; None where the most probable class is said
            (multi-label: where 0.5 is the threshold).
        conformal: prediction sets; None where they were refused.
        trust: the gate against strange images; None where it was refused.
        refusals: why something is missing, as a clause, under ``calibration``, ``thresholds``,
            ``conformal``, ``trust`` or ``<one of these>.<class>``.
    """

    choice: ThresholdChoice | None = None
    conformal: Conformal | None = None
    trust: TrustGate | None = None
    refusals: Mapping[str, str] = field(default_factory=dict)
