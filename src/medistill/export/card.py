"""The model card of a bundle, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from medistill.bundle.notice import NOTICE
from medistill.bundle.schema import Graph, Manifest
from medistill.export.card_parts import decided, form, front_matter
from medistill.export.card_sample import interface, sample

#: A file of the same weights has another hash; the report of a run names both.
_HASHES = MappingProxyType(
    {
        "recipe": "recipe",
        "data": "data",
        "teacher": "teacher's tensors",
        "student": "student's tensors",
    }
)
_COMMAND = "medistill predict THIS_FOLDER IMAGE_OR_FOLDER --out predictions.csv"


def model_card(manifest: Manifest) -> str:
    """A page that says what the student is, what it takes and what it must not be used for."""
    sections = [
        front_matter(manifest),
        f"# {manifest.name}\n\n**{NOTICE}**",
        _section("What it does", _what_it_does(manifest)),
        _section("Findings", manifest.findings),
        _section("Caveats", manifest.caveats),
        _section("How it decides", decided(manifest.graph(), manifest.classes, manifest.task)),
        _section("Graphs", [_graph_line(graph, manifest.default) for graph in manifest.graphs]),
        _section("Not published", [f"{n}: {why}" for n, why in manifest.refused.items()]),
        _section("Made from", _made_from(manifest)),
        f"## Use\n\n```text\n{_COMMAND}\n```",
        _section("Use without medistill", interface(manifest)),
        _fenced(sample(manifest)),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _section(title: str, lines: Iterable[str]) -> str:
    items = "\n".join(f"- {line}" for line in lines)
    return f"## {title}\n\n{items}" if items else ""


def _fenced(code: str) -> str:
    return f"```python\n{code}```" if code else ""


def _what_it_does(manifest: Manifest) -> list[str]:
    seen = manifest.preprocessing
    colour = "gray" if seen.channels == "gray" else "colour"
    kinds = manifest.acquisition
    known = ", ".join((*kinds.modalities, *kinds.body_parts)) or "not known"
    return [
        f"Task: {manifest.task}",
        f"Classes: {', '.join(manifest.classes)}",
        f"Input: a {colour} picture (PNG, JPEG, TIFF, BMP, DICOM, NIfTI), brought to a short side "
        f"of {seen.stored_size} and then to {seen.size} x {seen.size} pixels ({seen.fit})",
        f"Gray scale of CT (window): {seen.window or 'what each file declares'}",
        f"Normalised inside the graph: values in [0, 1] less the mean {_numbers(seen.mean)}, "
        f"divided by {_numbers(seen.std)}",
        f"Trained on pictures of (DICOM modality, body part): {known}",
    ]


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _graph_line(graph: Graph, default: str) -> str:
    star = ", the default" if graph.name == default else ""
    return (
        f"{graph.name}{star}: {graph.files[0]} ({graph.precision}, {form(graph)}); against the "
        f"trained network on {graph.parity.images} images the probabilities differ by at most "
        f"{graph.parity.largest_difference:.1e} and {graph.parity.agreement:.2%} of the labels "
        f"agree{_trial_words(graph)}"
    )


def _trial_words(graph: Graph) -> str:
    trial = graph.trial
    if trial is None:
        return ""
    worst = min(trial.sensitivity.items(), key=lambda item: item[1], default=None)
    lost = f"; sensitivity moves by {worst[1]:+.3f} at worst ({worst[0]})" if worst else ""
    moved = "; the task's metric is not defined on them"
    if trial.metric is not None:
        moved = f"; {trial.metric.name} by {trial.metric.change:+.3f}"
    if graph.name == trial.reference:
        return lost + moved
    return f"{lost}{moved}; {trial.ratio:.2f} times as fast as {trial.reference} where exported"


def _made_from(manifest: Manifest) -> list[str]:
    made = manifest.provenance
    hashes = [
        f"{title}: sha256 {value}"
        for key, title in _HASHES.items()
        if (value := getattr(made, key))
    ]
    versions = ", ".join(f"{name} {version}" for name, version in made.versions.items())
    return [*hashes, f"Versions: {versions}", f"Created: {made.created}"]
