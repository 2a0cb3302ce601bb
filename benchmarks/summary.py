"""From measured epochs to ratios, and to a table that says what was measured and what was not."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from benchmarks.workload import Workload


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One system's measurements.

    Attributes:
        name: the system.
        facts: what it said of itself; ``caching_seconds`` where it cached.
        seconds: of every epoch, the warm-up first.
        warm_up: epochs at the start that do not count.
    """

    name: str
    facts: dict[str, object]
    seconds: tuple[float, ...]
    warm_up: int = 1

    @property
    def epoch_seconds(self) -> float:
        """Median of the epochs after the warm-up."""
        return median(self.seconds[self.warm_up :])

    @property
    def caching_seconds(self) -> float:
        """What caching the targets of every view took; 0 without a cache."""
        value = self.facts.get("caching_seconds", 0.0)
        return float(value) if isinstance(value, int | float) else 0.0

    def run_seconds(self, epochs: int) -> tuple[float, bool]:
        """Seconds of a whole run, caching included, and whether all of it was measured.

        Where fewer epochs were measured, the rest are counted at their median.
        """
        counted = self.seconds[:epochs]
        rest = (epochs - len(counted)) * self.epoch_seconds
        return self.caching_seconds + sum(counted) + rest, len(counted) == epochs


def report(measured: list[Measured], workload: Workload, run_epochs: int) -> dict[str, object]:
    """Every figure, ready for JSON."""
    ours = next(item for item in measured if item.name == "medistill")
    rows = {item.name: _row(item, ours, workload, run_epochs) for item in measured}
    control = next((item for item in measured if item.name == "medistill-control"), None)
    return {
        "precision": workload.precision,
        "systems": rows,
        "cached_epoch_over_control": (
            ours.epoch_seconds / control.epoch_seconds if control else None
        ),
    }


def _row(item: Measured, ours: Measured, workload: Workload, epochs: int) -> dict[str, object]:
    run, complete = item.run_seconds(epochs)
    return {
        "facts": item.facts,
        "epochs_seconds": list(item.seconds),
        "epoch_seconds": item.epoch_seconds,
        "images_per_second": workload.images / item.epoch_seconds,
        "epoch_over_ours": item.epoch_seconds / ours.epoch_seconds,
        "run_seconds": run,
        "run_over_ours": run / ours.run_seconds(epochs)[0],
        "run_is_measured": complete,
    }


def table(figures: dict[str, object], run_epochs: int, views: int) -> str:
    """A report as Markdown."""
    systems = figures["systems"]
    if not isinstance(systems, dict):
        raise TypeError("figures are not those of report()")
    complete = all(row["run_is_measured"] for row in systems.values())
    how = "measured whole" if complete else "first epochs measured, the rest at their median"
    lines = [
        f"Precision {figures['precision']}. Whole run: {run_epochs} epochs, {views} cached views, "
        f"caching included; {how}.",
        "",
        "| system | teacher | s/epoch | images/s | epoch: times ours | whole run s | times ours |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in systems.items():
        lines.append(
            f"| {name} | {row['facts']['teacher']} | {row['epoch_seconds']:.2f} "
            f"| {row['images_per_second']:.1f} | {row['epoch_over_ours']:.2f} "
            f"| {row['run_seconds']:.0f} | {row['run_over_ours']:.2f} |"
        )
    control = figures["cached_epoch_over_control"]
    if isinstance(control, float):
        lines += ["", f"An epoch with cached targets costs {control:.3f} times the control's."]
    return "\n".join(lines)
