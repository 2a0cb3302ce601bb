"""Publishes a student: exports, checks and writes a bundle, or leaves nothing behind."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import BinaryIO

from medistill.bundle.acquisition import Acquisition
from medistill.bundle.bundle import Bundle, open_bundle
from medistill.bundle.calibration import Calibration
from medistill.bundle.decisions import Decisions
from medistill.bundle.schema import (
    MANIFEST,
    FileRecord,
    Graph,
    Manifest,
    Parity,
    Provenance,
)
from medistill.core.errors import ExportError
from medistill.core.files import (
    atomic_file,
    replacing_folder,
    sha256_file,
    write_json,
    write_text,
)
from medistill.core.types import Task
from medistill.export.candidates import Admitted, Gate, Tried, admit
from medistill.export.card import model_card
from medistill.export.explaining import explaining
from medistill.export.onnx_graph import NO_OUTPUTS, GraphInfo, export_onnx
from medistill.export.parity import BOUND, Images, check_parity
from medistill.export.path_scan import refuse_paths
from medistill.models.network import Network
from medistill.models.profile import count_parameters, multiply_adds

_GRAPH, _EXPLAIN, _CARD = "student.onnx", "explain.onnx", "README.md"
# The explaining graph is slow, and its logits are those of the graph that was checked on all.
_EXPLAIN_IMAGES = 32
_LIBRARIES = ("medistill", "torch", "timm", "onnx", "onnxruntime")


@dataclass(frozen=True, kw_only=True)
class BundleText:
    """What a bundle says beside what the network itself tells.

    Attributes:
        name: what the student is called.
        task: what the labels are.
        classes: names in the order of the logits.
        stored_size: short side in pixels of the stored images the student was trained on.
        provenance: hashes of what it was made from.
        caveats: sentences that must stay with every figure.
        findings: sentences of the evaluation, for the model card.
        calibration: temperature, fitted on *calibrate*.
        thresholds: operating point by class name; empty, or one for every class.
        decisions: how they were chosen, prediction sets, and the gate against strange images.
        acquisition: what kind of picture the student was trained on.
    """

    name: str
    task: Task
    classes: tuple[str, ...]
    stored_size: int
    provenance: Provenance
    caveats: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    calibration: Calibration = Calibration()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    decisions: Decisions = field(default_factory=Decisions)
    acquisition: Acquisition = field(default_factory=Acquisition)


@dataclass(frozen=True, kw_only=True)
class Published:
    """What ``publish_bundle`` wrote.

    Attributes:
        bundle: the bundle, opened and verified.
        archive: the same as one zip file, beside the folder.
        parity: the check that it passed.
        tried: what the gate found of every variant.
    """

    bundle: Bundle
    archive: Path
    parity: Parity
    tried: tuple[Tried, ...] = ()


def provenance_now(
    *, recipe: str | None, data: str | None, teacher: str | None, student: str | None
) -> Provenance:
    """Provenance with the versions installed here and the present time; hashes as SHA-256."""
    return Provenance(
        recipe=recipe,
        data=data,
        teacher=teacher,
        student=student,
        versions=_installed(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def publish_bundle(
    network: Network,
    folder: Path,
    text: BundleText,
    *,
    images: Images,
    bound: float = BOUND,
    opset: int = 18,
    outputs: Mapping[str, str] = NO_OUTPUTS,
    gate: Gate | None = None,
) -> Published:
    """Export a network, hold the graph against it, and write the bundle and its zip.

    Everything is made in a folder beside the target and appears under its name only when the
    graph passed and the bundle could be opened; a bundle that stood there before is replaced then.

    Args:
        network: the trained student.
        folder: the bundle to write; the zip takes its name and the ending ``.zip``.
        text: what the bundle says.
        images: (N, C, S, S) float32 in [0, 1], of the part *calibrate*.
        bound: largest difference of probabilities allowed.
        opset: ONNX operator set.
        outputs: further graph outputs: name -> feature.
        gate: what faster variants are tried and judged by; None publishes float32 alone.

    Raises:
        ExportError: the graph cannot be made or differs, or the text holds an absolute path.
    """
    if len(text.classes) != network.classes:
        raise ValueError(f"{len(text.classes)} class names for {network.classes} logits")
    archive = folder.with_name(f"{folder.name}.zip")
    _refuse_foreign(folder)
    with replacing_folder(folder) as staging:
        info = export_onnx(network, staging / _GRAPH, opset=opset, outputs=outputs)
        parity = check_parity(network, info.path, images, bound=bound, task=text.task)
        plain = _predicting(text, info, parity)
        admitted = Admitted(graphs=(plain,))
        if gate is not None:
            admitted = admit(network, plain, staging, text, gate)
        more = _explaining(network, staging, text, images, bound=bound, opset=opset)
        _write_texts(staging, _manifest(network, text, staging, admitted, more))
        open_bundle(staging)
        with atomic_file(archive) as stream:
            _write_zip(stream, staging, folder.name)
    return Published(
        bundle=open_bundle(folder), archive=archive, parity=parity, tried=admitted.tried
    )


def _explaining(
    network: Network, staging: Path, text: BundleText, images: Images, *, bound: float, opset: int
) -> list[Graph]:
    """The graph that shows where the student looked, held against it too; none where it cannot."""
    found = explaining(network)
    if found is None:
        return []
    info = export_onnx(found[0], staging / _EXPLAIN, opset=opset, outputs=found[1])
    few = images[:_EXPLAIN_IMAGES]
    parity = check_parity(network, info.path, few, bound=bound, task=text.task)
    graph = _predicting(text, info, parity)
    empty = {"thresholds": {}, "calibration": Calibration(), "decisions": Decisions()}
    return [replace(graph, name="explain", role="explain", **empty)]  # type: ignore[arg-type]


def _predicting(text: BundleText, info: GraphInfo, parity: Parity) -> Graph:
    return Graph(
        name="fp32",
        role="predict",
        precision="fp32",
        runtime="onnxruntime",
        files=(info.path.name,),
        opset=info.opset,
        input=info.input,
        outputs=dict(info.outputs),
        calibration=text.calibration,
        thresholds=dict(text.thresholds),
        decisions=text.decisions,
        parity=parity,
    )


def _manifest(
    network: Network, text: BundleText, staging: Path, admitted: Admitted, more: Sequence[Graph]
) -> Manifest:
    graphs = (*admitted.graphs, *more)
    names = dict.fromkeys(name for graph in graphs for name in graph.files)
    return Manifest(
        name=text.name,
        task=text.task,
        classes=text.classes,
        preprocessing=replace(network.preprocessing, stored_size=text.stored_size),
        default=graphs[0].name,
        graphs=graphs,
        refused=admitted.refused,
        parameters=count_parameters(network),
        multiply_adds=multiply_adds(network),
        provenance=text.provenance,
        caveats=text.caveats,
        findings=text.findings,
        acquisition=text.acquisition,
        files={name: _record(staging / name) for name in names},
    )


def _write_texts(staging: Path, manifest: Manifest) -> None:
    """Write the model card and then ``bundle.json``, which holds the hash of the card."""
    refuse_paths(manifest.to_json(), MANIFEST)
    write_text(staging / _CARD, model_card(manifest))
    files = {**manifest.files, _CARD: _record(staging / _CARD)}
    write_json(staging / MANIFEST, replace(manifest, files=files).to_json())


def _record(path: Path) -> FileRecord:
    return FileRecord(sha256=sha256_file(path), size=path.stat().st_size)


def _write_zip(stream: BinaryIO, folder: Path, name: str) -> None:
    """Store the files under ``name/``, in order and without times or owners."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            # Without a time given it is 1980: the same bundle always gives the same zip.
            entry = zipfile.ZipInfo(f"{name}/{file.relative_to(folder).as_posix()}")
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())


def _refuse_foreign(folder: Path) -> None:
    """Never replace what is not a bundle."""
    empty = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if empty or (folder / MANIFEST).is_file():
        return
    raise ExportError(
        where=folder,
        what="exists and is not a bundle",
        cure="Choose a new or empty folder.",
    )


def _installed() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
