"""What ``bundle.json`` holds. Torch-free.

Version 4. A change that an older reader would get wrong raises ``SCHEMA``; readers refuse newer
versions and unknown keys, because a key that is not understood may change the prediction. Older
versions are read as if they said nothing of what they did not know (``older_schemas``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from medistill.bundle.acquisition import Acquisition
from medistill.bundle.calibration import Calibration
from medistill.bundle.decisions import Decisions
from medistill.bundle.decoding import FormError, decode
from medistill.bundle.engine import Precision, Runtime
from medistill.bundle.older_schemas import upgraded
from medistill.bundle.trial import Trial
from medistill.bundle.trust import POOLED
from medistill.core.files import sha256_json
from medistill.core.types import Task
from medistill.imaging.preprocessing import Preprocessing

MANIFEST = "bundle.json"
FORMAT: Literal["medistill-bundle"] = "medistill-bundle"
SCHEMA = 4
READABLE = (1, 2, 3, SCHEMA)

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """A file that belongs to the bundle.

    Attributes:
        sha256: hexadecimal hash of its bytes.
        size: its length in bytes.
    """

    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How far a graph is from the network it was made from, on real images.

    Attributes:
        largest_difference: of any class probability of any image, in [0, 1].
        agreement: share, in [0, 1], of images (of pixels for masks) whose labels are all the same.
        images: how many were compared, from the part *calibrate*.
        bound: the largest difference that was allowed.
    """

    largest_difference: float
    agreement: float
    images: int
    bound: float

    def __str__(self) -> str:
        return (
            f"largest difference of probabilities {self.largest_difference:.2g} "
            f"(bound {self.bound:g}), labels agree on {self.agreement:.2%} of {self.images} images"
        )


@dataclass(frozen=True, kw_only=True)
class Graph:
    """One exported variant of the student, with the calibration fitted on its own outputs.

    Attributes:
        name: unique in the bundle, for example ``fp32``.
        role: ``predict`` answers; ``explain`` also gives what shows where the student looked.
        precision: of its weights and sums; the engine is told, and never chooses by itself.
        runtime: the engine that runs it.
        files: names inside the bundle, which graphs may share; the first is the one to open.
        opset: ONNX operator set; None for another format.
        batch: how many images it takes at once: ``dynamic`` for any number.
        input: name of the input: float32 (B, C, S, S) in [0, 1], normalised inside the graph.
        outputs: graph output -> what it holds: ``logits`` or a feature's name.
        calibration: temperature.
        thresholds: operating point by class name; empty, or every class.
        decisions: how the thresholds were chosen, prediction sets, and the gate against strange
            images.
        parity: the check before publication.
        trial: what else it had to show; None where variants were not tried.
    """

    name: str
    role: Literal["predict", "explain"]
    precision: Precision
    runtime: Runtime
    files: tuple[str, ...]
    opset: int | None
    input: str
    outputs: Mapping[str, str]
    calibration: Calibration
    thresholds: Mapping[str, float]
    decisions: Decisions
    parity: Parity
    trial: Trial | None = None
    batch: Literal["dynamic"] = "dynamic"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What the student was made from: hashes, never names of files or people.

    Attributes:
        recipe: SHA-256 of the resolved recipe; None where there was none.
        data: SHA-256 of the training images and labels.
        teacher: SHA-256 of the teacher's weights and buffers; None for a control.
        student: SHA-256 of the student's.
        versions: of the libraries that trained and exported it.
        created: UTC time, ISO 8601.
    """

    recipe: str | None
    data: str | None
    teacher: str | None
    student: str | None
    versions: Mapping[str, str]
    created: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The whole of ``bundle.json`` but its format, version and identity.

    Attributes:
        name: what the student is called.
        task: what the labels are.
        classes: names in the order of the logits.
        preprocessing: how a picture becomes the graphs' input.
        default: name of the graph that predicts unless another is asked for.
        graphs: the published variants, those that predict from the fastest to the slowest.
        refused: variants that were tried and not published: name -> why, as a clause.
        acquisition: what kind of picture the student was trained on.
        provenance: what it was made from.
        caveats: sentences that must stay with every figure.
        findings: sentences of the evaluation, for the model card.
        files: every other file of the bundle, by name.
        parameters: of the student; None where that was not recorded.
        multiply_adds: of one image, attention included; None where that was not recorded.

    Raises:
        FormError: values contradict each other.
    """

    name: str
    task: Task
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    default: str
    graphs: tuple[Graph, ...]
    provenance: Provenance
    caveats: tuple[str, ...]
    findings: tuple[str, ...]
    files: Mapping[str, FileRecord]
    refused: Mapping[str, str] = field(default_factory=dict)
    parameters: int | None = None
    multiply_adds: int | None = None
    acquisition: Acquisition = field(default_factory=Acquisition)

    def __post_init__(self) -> None:
        _require(0 < len(self.classes) == len(set(self.classes)), "classes", "are not distinct")
        _require(self.preprocessing.stored_size, "preprocessing.stored_size", "is missing")
        names = [graph.name for graph in self.graphs]
        _require(len(names) == len(set(names)), "graphs", "hold a name twice")
        names = [graph.name for graph in self.graphs if graph.role == "predict"]
        _require(self.default in names, "default", f"names no graph: '{self.default}'")
        self._check_files()
        for graph in self.graphs:
            self._check_graph(graph)
        _check_hashes(self.provenance)

    def _check_files(self) -> None:
        for name, record in self.files.items():
            plain = _PLAIN_NAME.fullmatch(name) and name != MANIFEST
            _require(plain, "files", f"hold a name that is not allowed: {name!r}")
            _require(_HASH.fullmatch(record.sha256), f"files.{name}", "has no SHA-256")

    def _check_graph(self, graph: Graph) -> None:
        key = f"graphs.{graph.name}"
        _require(graph.files, f"{key}.files", "is empty")
        for name in graph.files:
            _require(name in self.files, f"{key}.files", f"names '{name}', which is not listed")
        paired = graph.runtime != "openvino" or len(graph.files) == 2
        _require(paired, f"{key}.files", "are not OpenVINO's two")
        _require("logits" in graph.outputs.values(), f"{key}.outputs", "hold no logits")
        complete = not graph.thresholds or set(graph.thresholds) == set(self.classes)
        _require(complete, f"{key}.thresholds", "are not one for every class")
        proper = all(0 < value < 1 for value in graph.thresholds.values())
        _require(proper, f"{key}.thresholds", "are not between 0 and 1")
        self._check_decisions(graph, key)

    def _check_decisions(self, graph: Graph, key: str) -> None:
        labels, found = graph.calibration.labels, graph.decisions
        fits = not labels or (self.task == "multi-label" and len(labels) == len(self.classes))
        _require(fits, f"{key}.calibration.labels", "are not one for every label")
        if found.conformal is not None:
            known = set(found.conformal.quantiles)
            fits = known <= set(self.classes)
            if self.task == "single-label":
                fits = known == set(self.classes)
            _require(fits, f"{key}.decisions.conformal", "is not for these classes")
        if found.trust is not None and found.trust.features is not None:
            given = POOLED in graph.outputs.values()
            _require(given, f"{key}.decisions.trust", f"needs the output '{POOLED}'")

    def graph(self, name: str | None = None) -> Graph:
        """A graph by name; the default one without.

        Raises:
            KeyError: there is none of this name.
        """
        found = {graph.name: graph for graph in self.graphs}
        return found[self.default if name is None else name]

    def to_json(self) -> dict[str, Any]:
        """As the JSON object of ``bundle.json``, sealed with its own hash."""
        body = {"format": FORMAT, "schema": SCHEMA, **asdict(self)}
        return {**body, "identity": sha256_json(body)}


def manifest_from_json(value: Mapping[str, Any]) -> Manifest:
    """Read the JSON object of a ``bundle.json`` of a readable schema version.

    Raises:
        ValueError: a key is unknown, missing, of the wrong form or contradicts another.
        MedistillError: the preprocessing is impossible.
    """
    outer = {"format", "schema", "identity"}
    body = {key: item for key, item in value.items() if key not in outer}
    body = dict(upgraded(body, value.get("schema")))
    manifest: Manifest = decode(Manifest, body)
    return manifest


def identity_of(value: Mapping[str, Any]) -> str:
    """Hash of a ``bundle.json`` object without its own ``identity``."""
    return sha256_json({key: item for key, item in value.items() if key != "identity"})


def _check_hashes(provenance: Provenance) -> None:
    for key in ("recipe", "data", "teacher", "student"):
        value = getattr(provenance, key)
        proper = value is None or _HASH.fullmatch(value)
        _require(proper, f"provenance.{key}", "is not a SHA-256")


def _require(holds: object, key: str, what: str) -> None:
    if not holds:
        raise FormError(key, what)
