"""Who may leave: a variant must stay right and become faster, on this very machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medistill.bundle.engine import Engine
from medistill.bundle.footprint import footprint
from medistill.bundle.schema import Parity
from medistill.bundle.trial import Trial
from medistill.export.examples import Array, Decided, Examples, Images, Reference, Run
from medistill.export.fidelity import Fidelity, calibrated, fidelity, worst
from medistill.export.onnx_graph import INPUT
from medistill.export.speed import measured, open_files, thread_counts
from medistill.export.variants import Variant

_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a variant must keep.

    Attributes:
        agreement: smallest share of images whose labels equal the network's.
        sensitivity: largest loss of any class's sensitivity, and of its specificity.
        metric: largest loss of the task's metric, where that is defined on the examples.
        faster: smallest ratio of the float32 graph's fastest run to its own.
        runs: timed runs of each.
    """

    agreement: float = 0.99
    sensitivity: float = 0.02
    metric: float = 0.01
    faster: float = 1.05
    runs: int = 30


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the gate says of one variant.

    Attributes:
        refusal: why it is not published, as a clause; None if it is.
        decided: fitted on its own outputs.
        parity: against the network; of images in batches and one by one, the worse.
        trial: the rest, the worse of the two likewise.
        batched: calibrated probabilities of the images it was judged on, in batches.
        alone: the same, one image at a time: engines run other kernels then.
    """

    refusal: str | None
    decided: Decided
    parity: Parity
    trial: Trial
    batched: Array
    alone: Array

    @property
    def batch_difference(self) -> float:
        """Largest difference of any probability that the company of other images makes."""
        largest = float(np.abs(self.batched - self.alone).max())
        return largest if np.isfinite(largest) else 1.0


def runner(engine: Engine, outputs: Mapping[str, str], batch: int = _BATCH) -> Run:
    """Asks an engine for all its outputs, batch by batch.

    Args:
        engine: a graph.
        outputs: output name -> what it holds.
        batch: images at a time.
    """

    def run(images: Images) -> Mapping[str, Array]:
        starts = range(0, len(images), batch)
        found = [engine.run(list(outputs), {INPUT: images[s : s + batch]}) for s in starts]
        return {
            held: np.concatenate([batch[place] for batch in found]).astype(np.float64)
            for place, held in enumerate(outputs.values())
        }

    return run


def judge(
    variant: Variant,
    folder: Path,
    outputs: Mapping[str, str],
    *,
    reference: Reference,
    examples: Examples,
    bounds: Bounds,
) -> Verdict:
    """Hold a variant against the network and against the clock.

    It is asked in batches and again image by image, as both are served; the worse counts.

    Args:
        variant: its files lie in ``folder``.
        folder: where it was made.
        outputs: output name -> what it holds.
        reference: what it is held against; the float32 graph may be held against itself.
        examples: what it is judged with.
        bounds: what it must keep.
    """
    engines = {n: open_files(folder, variant, n) for n in thread_counts()}
    engine = engines[max(engines)]
    decided = examples.decide(runner(engine, outputs))
    ways = [runner(engine, outputs, batch)(examples.images)["logits"] for batch in (_BATCH, 1)]
    found = worst(
        [fidelity(each, decided, reference=reference, examples=examples) for each in ways]
    )
    trial = _trial(variant, folder, found, engines, reference, examples, bounds)
    batched, alone = (calibrated(each, decided, examples) for each in ways)
    return Verdict(
        refusal=_refusal(found, trial, bounds),
        decided=decided,
        parity=found.parity,
        trial=trial,
        batched=batched,
        alone=alone,
    )


def _trial(
    variant: Variant,
    folder: Path,
    found: Fidelity,
    engines: Mapping[int, Engine],
    reference: Reference,
    examples: Examples,
    bounds: Bounds,
) -> Trial:
    """What was found, with times, memory and length of the files."""
    ratio, speeds = measured(reference.engines, engines, examples.images, bounds.runs)
    files = [folder / name for name in variant.files]
    return Trial(
        metric=found.metric,
        sensitivity=found.sensitivity,
        sensitivity_bound=bounds.sensitivity,
        agreement_bound=bounds.agreement,
        reference="fp32",
        ratio=ratio,
        speeds=speeds,
        memory_bytes=footprint(
            files,
            runtime=variant.runtime,
            precision=variant.precision,
            shape=examples.images.shape[1:],
            threads=max(engines),
        ),
        file_bytes=sum(file.stat().st_size for file in files),
    )


def _refusal(found: Fidelity, trial: Trial, bounds: Bounds) -> str | None:
    agreement = found.parity.agreement
    if not agreement >= bounds.agreement:
        return f"its labels agree on {agreement:.2%} of the images, below {bounds.agreement:.0%}"
    # Of rare labels "no" agrees nearly always, whatever the order of the images has become.
    if found.metric is not None and not found.metric.change >= -bounds.metric:
        lost = f"{-found.metric.change:.3f} lower, more than {bounds.metric:g}"
        return f"its {found.metric.name} is {lost}"
    for kind, changes in (("sensitivity", found.sensitivity), ("specificity", found.specificity)):
        for name, change in changes.items():
            if not change >= -bounds.sensitivity:
                lost = f"{-change:.3f} lower, more than {bounds.sensitivity:g}"
                return f"its {kind} for {name} is {lost}"
    if trial.ratio < bounds.faster:
        ratio = f"{trial.ratio:.2f} times as fast as {trial.reference}"
        return f"it runs {ratio}, below {bounds.faster:g}"
    return None
