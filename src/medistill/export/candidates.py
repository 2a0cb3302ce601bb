"""Tries every variant that can be made here, and keeps those that pass the gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from medistill.bundle.schema import Graph
from medistill.export.gate import (
    Array,
    Bounds,
    Decided,
    Examples,
    Images,
    Reference,
    Verdict,
    judge,
    open_files,
    thread_counts,
)
from medistill.export.onnx_graph import portable_copy
from medistill.export.variants import Make, Variant, makers, quiet
from medistill.models.network import Network

Say = Callable[[str], None]
_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What variants are tried, and what they are judged by.

    Attributes:
        examples: what they are judged with.
        bounds: what they must keep.
        makers: who makes them, by name.
        say: told one line a variant.
    """

    examples: Examples
    bounds: Bounds = field(default_factory=Bounds)
    makers: Mapping[str, Make] = field(default_factory=lambda: makers())
    say: Say = lambda text: None


@dataclass(frozen=True, kw_only=True)
class Admitted:
    """What the gate let through.

    Attributes:
        graphs: float32 and the variants that passed, the fastest at batch 1 first.
        refused: the others, with the reason.
    """

    graphs: tuple[Graph, ...]
    refused: Mapping[str, str]


def admit(network: Network, plain: Graph, folder: Path, decided: Decided, gate: Gate) -> Admitted:
    """Make, judge and keep or delete each variant; a maker that fails refuses its variant alone.

    Args:
        network: the trained student.
        plain: its float32 graph, already held against it.
        folder: where its file lies and where variants are made.
        decided: fitted on the network.
        gate: what is tried and how.
    """
    engines = {n: open_files(folder, plain.files, None, n) for n in thread_counts()}
    logits = network_logits(network, gate.examples.images)
    reference = Reference(logits=logits, decided=decided, engines=engines)
    graphs, refused = [plain], {}
    for name, make in gate.makers.items():
        found = _tried(name, make, plain, folder, reference, gate)
        if isinstance(found, str):
            refused[name] = found
            gate.say(f"Variant {name} is not published: {found}")
            _delete(folder, name)
        else:
            graphs.append(found)
            gate.say(f"Variant {name}: {_praise(found)}")
    return Admitted(graphs=_by_speed(graphs), refused=refused)


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


def _tried(
    name: str, make: Make, plain: Graph, folder: Path, reference: Reference, gate: Gate
) -> Graph | str:
    """The graph, or why it is refused."""
    try:
        with quiet():
            variant = make(folder / plain.files[0], folder, gate.examples.quantise)
        verdict = judge(
            variant,
            folder,
            plain.outputs,
            reference=reference,
            examples=gate.examples,
            bounds=gate.bounds,
        )
    except Exception as error:  # quantisers share no base class; float32 is published all the same
        first = (str(error) or type(error).__name__).strip().splitlines()[0]
        return f"it cannot be made or run here ({first[:200]})"
    return verdict.refusal or _graph(plain, variant, verdict)


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


def _praise(graph: Graph) -> str:
    trial = graph.trial
    ratio = f"{trial.ratio:.2f} times as fast as {trial.reference}" if trial else ""
    return f"{ratio}, labels agree on {graph.parity.agreement:.2%}"


def _delete(folder: Path, name: str) -> None:
    for path in folder.glob(f"student-{name}.*"):
        path.unlink()
