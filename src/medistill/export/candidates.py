"""Tries every variant that can be made here, and keeps those that pass the gate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from medistill.bundle.schema import Graph
from medistill.export.examples import Array, Decided, Examples, Images, Reference
from medistill.export.gate import Bounds, Verdict, judge
from medistill.export.onnx_graph import portable_copy
from medistill.export.speed import open_files, thread_counts
from medistill.export.variants import Maker, Material, Variant, makers, quiet
from medistill.models.network import Network

Say = Callable[[str], None]
_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What variants are tried, and what they are judged by.

    Attributes:
        examples: what they are judged with.
        bounds: what they must keep.
        makers: who makes them.
        say: told one line a variant.
    """

    examples: Examples
    bounds: Bounds = field(default_factory=Bounds)
    makers: Sequence[Maker] = field(default_factory=lambda: makers())
    say: Say = lambda text: None


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One variant before the gate.

    Attributes:
        name: of the variant.
        refusal: why it is not published, as a clause; None if it is.
        verdict: what was found; None where it could not be made or run.
        graph: what is published; None if it is not.
    """

    name: str
    refusal: str | None
    verdict: Verdict | None = None
    graph: Graph | None = None


@dataclass(frozen=True, kw_only=True)
class Admitted:
    """What the gate let through.

    Attributes:
        graphs: float32 and the variants that passed, the fastest at batch 1 first.
        tried: every variant, float32 first.
    """

    graphs: tuple[Graph, ...]
    tried: tuple[Tried, ...] = ()

    @property
    def refused(self) -> dict[str, str]:
        """Why, by name, for those that are not published."""
        return {each.name: each.refusal for each in self.tried if each.refusal is not None}


def admit(network: Network, plain: Graph, folder: Path, decided: Decided, gate: Gate) -> Admitted:
    """Make, judge and keep or delete each variant; a maker that fails refuses its variants alone.

    Args:
        network: the trained student.
        plain: its float32 graph, already held against it.
        folder: where its file lies and where variants are made.
        decided: fitted on the network.
        gate: what is tried and how.
    """
    float32 = _as_variant(plain)
    engines = {n: open_files(folder, float32, n) for n in thread_counts()}
    logits = network_logits(network, gate.examples.images)
    reference = Reference(logits=logits, decided=decided, engines=engines)
    tried = [_reference_tried(plain, float32, folder, reference, gate)]
    for maker in gate.makers:
        tried += _tried(maker, plain, folder, reference, gate)
    graphs = _by_speed([each.graph for each in tried if each.graph is not None])
    _tidy(folder, graphs)
    return Admitted(graphs=graphs, tried=tuple(tried))


def network_logits(network: Network, images: Images) -> Array:
    """Logits of the trained network, in float64."""
    module = portable_copy(network)
    starts = range(0, len(images), _BATCH)
    with torch.inference_mode():
        found = [
            module(torch.from_numpy(np.ascontiguousarray(images[s : s + _BATCH]))).logits
            for s in starts
        ]
    result: Array = torch.cat(found).double().numpy()
    return result


def _reference_tried(
    plain: Graph, float32: Variant, folder: Path, reference: Reference, gate: Gate
) -> Tried:
    """Float32 in the same columns; it is published whatever the clock says."""
    found = _judged(plain, float32, folder, reference, gate)
    verdict = replace(found, refusal=None, trial=replace(found.trial, ratio=1.0))
    return Tried(
        name=plain.name,
        refusal=None,
        verdict=verdict,
        graph=replace(plain, trial=verdict.trial),
    )


def _tried(
    maker: Maker, plain: Graph, folder: Path, reference: Reference, gate: Gate
) -> list[Tried]:
    examples = gate.examples
    material = Material(
        task=examples.task,
        ranges=examples.quantise,
        control=examples.control,
        agreement=gate.bounds.agreement,
    )
    try:
        with quiet():
            variants = maker.make(folder / plain.files[0], folder, material)
    except Exception as error:  # quantisers share no base class; float32 is published all the same
        tried = [_broken(name, error) for name in maker.names]
    else:
        tried = [_passed(plain, variant, folder, reference, gate) for variant in variants]
    for each in tried:
        gate.say(_said(each))
    return tried


def _passed(
    plain: Graph, variant: Variant, folder: Path, reference: Reference, gate: Gate
) -> Tried:
    try:
        verdict = _judged(plain, variant, folder, reference, gate)
    except Exception as error:  # runtimes share no base class either
        return _broken(variant.name, error)
    graph = None if verdict.refusal else _graph(plain, variant, verdict)
    return Tried(name=variant.name, refusal=verdict.refusal, verdict=verdict, graph=graph)


def _judged(
    plain: Graph, variant: Variant, folder: Path, reference: Reference, gate: Gate
) -> Verdict:
    return judge(
        variant,
        folder,
        plain.outputs,
        reference=reference,
        examples=gate.examples,
        bounds=gate.bounds,
    )


def _broken(name: str, error: Exception) -> Tried:
    first = (str(error) or type(error).__name__).strip().splitlines()[0]
    return Tried(name=name, refusal=f"it cannot be made or run here ({first[:200]})")


def _as_variant(plain: Graph) -> Variant:
    return Variant(
        name=plain.name,
        precision=plain.precision,
        runtime=plain.runtime,
        files=plain.files,
        opset=plain.opset,
    )


def _graph(plain: Graph, variant: Variant, verdict: Verdict) -> Graph:
    return replace(
        plain,
        name=variant.name,
        precision=variant.precision,
        runtime=variant.runtime,
        files=variant.files,
        opset=variant.opset,
        calibration=verdict.decided.calibration,
        thresholds=dict(verdict.decided.thresholds),
        decisions=verdict.decided.decisions,
        parity=verdict.parity,
        trial=verdict.trial,
    )


def _by_speed(graphs: list[Graph]) -> tuple[Graph, ...]:
    """Fastest first; float32 is the reference, 1 times as fast as itself."""
    return tuple(sorted(graphs, key=lambda g: -(g.trial.ratio if g.trial else 1.0)))


def _said(tried: Tried) -> str:
    if tried.verdict is None or tried.refusal is not None:
        return f"Variant {tried.name} is not published: {tried.refusal}"
    trial, parity = tried.verdict.trial, tried.verdict.parity
    ratio = f"{trial.ratio:.2f} times as fast as {trial.reference}"
    unheld = "" if trial.metric else "; the task's metric is not defined on these images"
    return f"Variant {tried.name}: {ratio}, labels agree on {parity.agreement:.2%}{unheld}"


def _tidy(folder: Path, graphs: Sequence[Graph]) -> None:
    """Delete what no published graph needs; variants may share a file."""
    kept = {name for graph in graphs for name in graph.files}
    for path in folder.glob("student*"):
        if path.name not in kept:
            path.unlink()
