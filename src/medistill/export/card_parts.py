"""Parts of the model card: the head that the Hugging Face hub reads, and how a graph decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from medistill.bundle.schema import Graph, Manifest
from medistill.core.types import Task

_PIPELINES = {
    "single-label": "image-classification",
    "multi-label": "image-classification",
    "segmentation": "image-segmentation",
}


def front_matter(manifest: Manifest) -> str:
    """YAML between lines of dashes, as the hub's model cards have it.

    The licence is left to those who publish the model, since the data decide on it.
    """
    head = {
        "library_name": "medistill",
        "pipeline_tag": _PIPELINES[manifest.task],
        "tags": [
            "medical",
            "knowledge-distillation",
            "onnx",
            "research-only",
        ],
        "model_name": manifest.name,
    }
    text = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    return f"---\n{text}---"


def form(graph: Graph) -> str:
    """Runtime, ONNX operator set, and how many images the graph takes at once."""
    opset = "" if graph.opset is None else f" opset {graph.opset}"
    return f"{graph.runtime}{opset}, {graph.batch} batch"


def decided(graph: Graph, classes: Sequence[str], task: Task) -> list[str]:
    """What was fitted on the calibration part, and why anything is missing.

    Args:
        graph: which decides.
        classes: names in the order of its logits.
        task: what its labels are.
    """
    found, calibration = graph.decisions, graph.calibration
    lines = [f"Temperature: {calibration.temperature:.3g}"]
    if calibration.labels:
        own = dict(zip(classes, calibration.labels, strict=True))
        lines = [f"Temperatures: {_numbers(own)}"]
    lines.append(_said(graph, classes, task))
    if found.choice is not None:
        wished = "" if found.choice.wished is None else f" {found.choice.wished:g}"
        lines.append(
            f"Chosen for: {found.choice.rule}{wished} of {found.choice.positive or 'every label'}, "
            f"on {found.choice.images} images of {found.choice.groups} groups"
        )
    if found.conformal is not None:
        lines.append(f"Prediction sets: promise {found.conformal.level:.0%} for every class")
    if found.trust is not None:
        lines.append(
            f"Strange images: stopped, with {found.trust.false_alarms:.0%} false alarms allowed"
        )
    return lines + [f"Missing, {name}: {reason}" for name, reason in found.refusals.items()]


def _said(graph: Graph, classes: Sequence[str], task: Task) -> str:
    """How ``bundle.calibration.decide`` comes to a label."""
    of_one = task == "single-label" and len(classes) > 2
    if graph.thresholds:
        how = "; says the class whose probability is largest relative to its own" if of_one else ""
        return f"Thresholds: {_numbers(graph.thresholds)}{how}"
    if task == "multi-label":
        return "Thresholds: none, every label holds from 0.5 up"
    if task == "segmentation":
        return "Thresholds: none, says the most probable class of each pixel"
    wanted = " (another point of one class needs decide.positive and decide.rule)" if of_one else ""
    return f"Thresholds: none, says the most probable class{wanted}"


def _numbers(found: Mapping[str, float]) -> str:
    """``ill 0.3, well 0.7``."""
    return ", ".join(f"{name} {value:.3g}" for name, value in found.items())
