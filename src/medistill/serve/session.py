"""Runs a bundle's graph, with every setting that matters made explicit. Torch-free."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.bundle import Bundle
from medistill.bundle.engine import Engine, open_engine, runs_here
from medistill.bundle.schema import Graph, Manifest
from medistill.core.errors import BundleError, MedistillError

_CURE = "Export the bundle again."


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class GraphSession:
    """A graph that is ready to run.

    Attributes:
        graph: what the bundle says of it.
        session: what runs it.
        where: the bundle, for messages.
    """

    graph: Graph
    session: Engine
    where: str

    def run(self, images: NDArray[np.float32], output: str) -> NDArray[np.float32]:
        """One output for a batch.

        Args:
            images: (N, C, S, S) float32 in [0, 1].
            output: name of a graph output.

        Raises:
            BundleError: the graph fails.
        """
        return self.run_many(images, [output])[0]

    def run_many(
        self, images: NDArray[np.float32], outputs: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        """Several outputs for a batch, as :meth:`run` gives one."""
        try:
            return self.session.run(outputs, {self.graph.input: images})
        except Exception as error:  # onnxruntime's errors share no base class
            raise _broken(self.where, self.graph, _first_line(error)) from error


def open_session(
    bundle: Bundle, *, graph: str | None = None, threads: int | None = None
) -> GraphSession:
    """Load a graph of a bundle and hold its signature against the manifest.

    Args:
        bundle: an opened bundle.
        graph: name of the graph; None for the default one.
        threads: for one operator; None for all cores that this process may use.

    Raises:
        BundleError: the graph is broken, or not what the manifest says.
        MissingExtraError: its runtime is not installed.
    """
    chosen = bundle.graph(graph or runnable(bundle.manifest))
    try:
        session = open_engine(
            [bundle.read(name) for name in chosen.files],
            runtime=chosen.runtime,
            threads=threads or available_cores(),
            precision=chosen.precision,
        )
    except MedistillError:
        raise
    except Exception as error:  # onnxruntime's errors share no base class
        raise _broken(str(bundle.path), chosen, _first_line(error)) from error
    _check_signature(bundle, chosen, session)
    return GraphSession(chosen, session, str(bundle.path))


def runnable(manifest: Manifest) -> str:
    """Name of the default graph, or of the fastest that can run here.

    Graphs stand in the order of their speed where they were exported; float32 on onnxruntime is
    always among them.
    """
    default = manifest.graph()
    if runs_here(default.runtime, default.precision):
        return default.name
    able = (g for g in manifest.graphs if g.role == "predict")
    return next((g.name for g in able if runs_here(g.runtime, g.precision)), default.name)


def _check_signature(bundle: Bundle, graph: Graph, session: Engine) -> None:
    seen = bundle.manifest.preprocessing
    shapes, outputs = session.shapes()
    expected = {graph.input: [seen.image_channels, seen.size, seen.size]}
    if shapes != expected:
        raise _broken(str(bundle.path), graph, f"its inputs are {shapes}, not {expected}")
    if missing := sorted(set(graph.outputs) - set(outputs)):
        raise _broken(str(bundle.path), graph, f"it has no output '{missing[0]}'")
    logits = next(name for name, held in graph.outputs.items() if held == "logits")
    masks = bundle.manifest.task == "segmentation"
    shape = outputs[logits][:1] if masks and len(outputs[logits]) == 3 else outputs[logits]
    if shape != [len(bundle.manifest.classes)]:
        reason = f"its logits are {outputs[logits]} for {len(bundle.manifest.classes)} classes"
        raise _broken(str(bundle.path), graph, reason)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _broken(where: str, graph: Graph, reason: str) -> BundleError:
    return BundleError(
        where=where, what=f"the graph '{graph.name}' cannot run ({reason})", cure=_CURE
    )
