"""From what the service found to what a client is told. Torch-free."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence

import numpy as np
from fastapi import Response
from fastapi.responses import JSONResponse
from PIL import Image

from medistill.bundle.calibration import Calibration
from medistill.bundle.notice import NOTICE
from medistill.imaging.reader import Picture
from medistill.imaging.resize import resize
from medistill.serve.answers import Explained, Model, Result, Results
from medistill.serve.prediction import Prediction
from medistill.serve.relevance import Relevance, shown_box
from medistill.serve.service import Service
from medistill.serve.uploads import RefusalError

_CARD = "README.md"
_LONGEST_SIDE = 1024


def model_of(service: Service) -> Model:
    """What is served."""
    bundle, graph = service.bundle, service.predictor.graph
    manifest = bundle.manifest
    return Model(
        name=manifest.name,
        task=manifest.task,
        classes=list(manifest.classes),
        bundle=bundle.identity,
        graph=graph.name,
        graphs=[each.name for each in manifest.graphs if each.role == "predict"],
        calibrated=graph.calibration != Calibration(),
        thresholds=dict(graph.thresholds),
        explains=service.explainer is not None,
        masks=manifest.task == "segmentation",
        modalities=list(manifest.acquisition.modalities),
        body_parts=list(manifest.acquisition.body_parts),
        caveats=list(manifest.caveats),
        findings=list(manifest.findings),
        notice=NOTICE,
        limits=dataclasses.asdict(service.settings.limits),
    )


def card_text(service: Service) -> str:
    """The model card, or the notice where the bundle has none."""
    if _CARD not in service.bundle.manifest.files:
        return NOTICE
    return service.bundle.read(_CARD).decode()


def result_of(service: Service, found: Prediction) -> Result:
    """What is said of one file."""
    classes = service.predictor.classes
    values = found.probabilities
    return Result(
        file=found.path,
        label=found.label,
        probabilities=None if values is None else dict(zip(classes, values, strict=True)),
        conformal=None if found.conformal is None else list(found.conformal),
        trusted=found.trusted,
        reasons=list(found.reasons),
        problem=found.problem,
    )


def results_of(service: Service, found: Sequence[Prediction]) -> Response:
    """All answers; an error where no file has one.

    Raises:
        RefusalError: 422.
    """
    if all(each.problem for each in found):
        first = f"{found[0].path}: {(found[0].problem or '').rstrip('.')}."
        more = f" None of the {len(found)} files can be read." if len(found) > 1 else ""
        raise RefusalError(422, first + more)
    said = Results(
        bundle=service.bundle.identity,
        graph=service.predictor.graph.name,
        results=[result_of(service, each) for each in found],
    )
    return JSONResponse(said.model_dump())


def target_of(service: Service, name: str | None) -> int | None:
    """Number of a class by name.

    Raises:
        RefusalError: 422, there is no such class.
    """
    classes = service.predictor.classes
    if name is None:
        return None
    if name not in classes:
        raise RefusalError(422, f"There is no such class; the classes are {', '.join(classes)}.")
    return classes.index(name)


def explained(
    service: Service, found: Prediction, relevance: Relevance, shape: tuple[int, int]
) -> Explained:
    """An answer with the map of what counted."""
    rows, columns = relevance.values.shape
    target = relevance.target
    return Explained(
        result=result_of(service, found),
        kind=relevance.kind,
        target=None if target is None else service.predictor.classes[target],
        rows=rows,
        columns=columns,
        values=[[round(float(value), 5) for value in row] for row in relevance.values],
        box=shown_box(shape, service.bundle.manifest.preprocessing.fit),
    )


def pixels_response(picture: Picture) -> Response:
    """The picture as 16-bit values, little-endian, at most 1024 pixels a side."""
    pixels = picture.pixels
    height, width = pixels.shape[:2]
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    size = {"width": max(1, round(width * scale)), "height": max(1, round(height * scale))}
    shown = np.rint(resize(pixels, **size) * np.float32(65535)).astype("<u2")
    headers = {
        "X-Width": str(size["width"]),
        "X-Height": str(size["height"]),
        "X-Channels": "1" if shown.ndim == 2 else "3",
    }
    return Response(shown.tobytes(), media_type="application/octet-stream", headers=headers)


def mask_response(service: Service, found: Prediction) -> Response:
    """The mask as PNG.

    Raises:
        RefusalError: 409, the bundle does not segment; 422, the file cannot be read.
    """
    if service.bundle.manifest.task != "segmentation":
        raise RefusalError(409, "This bundle classifies; it gives no masks.")
    if found.mask is None:
        raise RefusalError(422, f"{found.path}: {(found.problem or '').rstrip('.')}.")
    stream = io.BytesIO()
    Image.fromarray(found.mask).save(stream, "PNG")
    return Response(stream.getvalue(), media_type="image/png")
