"""The command ``inspect``: what a bundle says of itself, once every hash has been verified.

Torch-free.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from medistill.bundle.bundle import Bundle, open_bundle
from medistill.bundle.calibration import Calibration
from medistill.bundle.engine import installed, runs_here
from medistill.bundle.notice import NOTICE
from medistill.bundle.schema import Graph, Manifest
from medistill.bundle.trial import MetricChange
from medistill.serve.session import runnable


def inspect_command(path: Path, *, as_json: bool = False) -> str:
    """Describe a bundle.

    Args:
        path: folder or zip.
        as_json: the manifest itself instead of words.

    Raises:
        BundleError: it is damaged, foreign, or has been changed.
    """
    bundle = open_bundle(path)
    if as_json:
        return json.dumps(bundle.manifest.to_json(), indent=2, ensure_ascii=False)
    return "\n".join([*_head(bundle), *_graphs(bundle), *_tail(bundle)])


def _head(bundle: Bundle) -> Iterator[str]:
    manifest = bundle.manifest
    seen = manifest.preprocessing
    yield f"{manifest.name}: {manifest.task}, {len(manifest.classes)} classes"
    yield f"  identity   {bundle.identity} (all {len(manifest.files)} files verified)"
    yield f"  classes    {', '.join(manifest.classes)}"
    yield f"  input      {seen.channels}, {seen.size} x {seen.size}, {seen.fit}"
    if manifest.parameters is not None:
        work = (
            "" if manifest.multiply_adds is None else f", {manifest.multiply_adds:,} multiply-adds"
        )
        yield f"  size       {manifest.parameters:,} parameters{work} an image"
    made_for = manifest.acquisition
    yield f"  trained on {', '.join((*made_for.modalities, *made_for.body_parts)) or 'not known'}"
    yield f"  notice     {NOTICE}"


def _graphs(bundle: Bundle) -> Iterator[str]:
    chosen = runnable(bundle.manifest)
    for graph in bundle.manifest.graphs:
        size = sum(bundle.manifest.files[name].size for name in graph.files)
        opset = [] if graph.opset is None else [f"ONNX opset {graph.opset}"]
        marks = [graph.precision, graph.runtime, *opset, f"{graph.batch} batch"]
        marks.append(f"{size / 1e6:.2f} MB")
        marks += ["runs here by default"] if graph.name == chosen else []
        marks += _obstacles(graph)
        yield f"graph {graph.name}: {', '.join(marks)}"
        yield f"  checked    {graph.parity}"
        yield from _trial(graph)
        if graph.role == "predict":
            yield from _decisions(graph, bundle.manifest)
    for name, why in bundle.manifest.refused.items():
        yield f"not published, {name}: {why}"


def _obstacles(graph: Graph) -> list[str]:
    """Why it cannot run here, if so."""
    if not installed(graph.runtime):
        return [f"{graph.runtime} is not installed here"]
    able = runs_here(graph.runtime, graph.precision)
    return [] if able else ["this processor has no bfloat16"]


def _trial(graph: Graph) -> Iterator[str]:
    trial = graph.trial
    if trial is None:
        return
    memory = "" if trial.memory_bytes is None else f", peak {trial.memory_bytes / 1e6:.0f} MB"
    yield (
        f"  speed      {trial.ratio:.2f} times as fast as {trial.reference} where it was "
        f"exported{memory}"
    )
    for speed in trial.speeds:
        threads = f"{speed.threads} thread{'' if speed.threads == 1 else 's'}"
        yield (
            f"             {threads}, batch {speed.batch}: "
            f"p50 {speed.p50_ms:.2f} ms, p95 {speed.p95_ms:.2f} ms, p99 {speed.p99_ms:.2f} ms, "
            f"{speed.images_per_second:.1f} images a second"
        )
    if trial.metric is not None:
        yield f"  {trial.metric.name:10} {_moved(trial.metric)} against the trained network"
    for name, change in trial.sensitivity.items():
        yield f"  {name}: sensitivity {change:+.4f} (bound -{trial.sensitivity_bound:g})"


def _moved(metric: MetricChange) -> str:
    span = "" if metric.low is None else f" ({metric.low:+.4f} to {metric.high:+.4f})"
    return f"{metric.change:+.4f}{span}"


def _decisions(graph: Graph, manifest: Manifest) -> Iterator[str]:
    found = graph.decisions
    yield f"  calibrated {_temperature(graph.calibration, manifest.classes)}"
    yield f"  thresholds {_operating_point(graph, manifest)}"
    sets = f"at {found.conformal.level:.0%}" if found.conformal else "none"
    yield f"  sets       {sets}"
    yield f"  trust gate {'fitted' if found.trust else 'none'}"
    for what, why in found.refusals.items():
        yield f"  no {what}: {why}"


def _temperature(calibration: Calibration, classes: Sequence[str]) -> str:
    if calibration == Calibration():
        return "no"
    if not calibration.labels:
        return f"temperature {calibration.temperature:.3f}"
    each = zip(classes, calibration.labels, strict=True)
    return "temperature " + ", ".join(f"{value:.3f} for {name}" for name, value in each)


def _operating_point(graph: Graph, manifest: Manifest) -> str:
    """How ``bundle.calibration.decide`` comes to a label."""
    several = manifest.task == "multi-label"
    if not graph.thresholds:
        return f"none: {'each label from 0.5' if several else 'the most probable class'}"
    if several or len(manifest.classes) <= 2:
        return ", ".join(f"{name} from {value:.3f}" for name, value in graph.thresholds.items())
    said = ", ".join(f"{name} {value:.3f}" for name, value in graph.thresholds.items())
    return f"{said}: the class whose probability is largest relative to its threshold"


def _tail(bundle: Bundle) -> Iterator[str]:
    made = bundle.manifest.provenance
    for key in ("recipe", "data", "teacher", "student"):
        if value := getattr(made, key):
            yield f"made from {key} {value}"
    yield f"made on {made.created} with " + ", ".join(f"{k} {v}" for k, v in made.versions.items())
    yield from (f"finding: {text}" for text in bundle.manifest.findings)
    yield from (f"caution: {text}" for text in bundle.manifest.caveats)
