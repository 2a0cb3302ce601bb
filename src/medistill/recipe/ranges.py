"""Numbers of a recipe that are impossible alone, by their key."""

from __future__ import annotations

import math
from collections.abc import Iterator
from operator import attrgetter

from medistill.recipe.blocks import Recipe

# Key -> (lowest, highest). Trainings and methods look at their own values.
_RANGES: dict[str, tuple[float, float]] = {
    "data.stored_size": (8, 65_536),
    "data.seed": (0, 2**63 - 1),
    "data.workers": (0, math.inf),
    "teacher.members": (1, math.inf),
    "teacher.predistil.least_steps": (0, math.inf),
    "teacher.probe.views": (1, math.inf),
    # onnxscript writes 18 and later.
    "export.opset": (18, math.inf),
    "export.bound": (1e-9, 1),
    "export.agreement": (0, 1),
    "export.sensitivity_loss": (0, 1),
    "export.metric_loss": (0, 1),
}


def range_faults(recipe: Recipe) -> Iterator[tuple[bool, str, str, str]]:
    """Whether each value is out of its range, its key, what is wrong, and the cure."""
    for key, (low, high) in _RANGES.items():
        block, _, name = key.rpartition(".")
        value = getattr(attrgetter(block)(recipe), name, low)
        most = "" if math.isinf(high) else f" and at most {high:g}"
        fine = low <= value <= high
        yield (not fine, key, f"{value!r} is not possible", f"Give at least {low:g}{most}.")
    probe = recipe.teacher.probe
    penalties = probe.penalties if probe else (1.0,)
    yield (
        not penalties or not all(0 < each < math.inf for each in penalties),
        "teacher.probe.penalties",
        f"{list(penalties)} are no penalties",
        "Give at least one number above 0, for example [0.1].",
    )
