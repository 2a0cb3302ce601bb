"""Python of a model card that predicts with onnxruntime, numpy and Pillow, without medistill."""

from __future__ import annotations

from collections.abc import Sequence

from medistill.bundle.schema import Graph, Manifest
from medistill.imaging.preprocessing import Preprocessing


def sample(manifest: Manifest) -> str:
    """A script for ``image.png`` in the bundle's folder; empty where no graph is onnxruntime's."""
    graph = _graph(manifest)
    if graph is None:
        return ""
    parts = (
        _head(manifest, graph),
        _resized(),
        _pixels(manifest.preprocessing),
        _fitted(manifest.preprocessing),
        _run(graph),
        _answer(manifest),
    )
    return "\n".join(parts)


def interface(manifest: Manifest) -> list[str]:
    """Input and outputs of the graph that the script runs; empty as :func:`sample` is."""
    graph, seen = _graph(manifest), manifest.preprocessing
    if graph is None:
        return []
    classes, side = len(manifest.classes), seen.size
    map_sides = f", {side}, {side}" if manifest.task == "segmentation" else ""
    return [
        f"Graph: {graph.files[0]}",
        f"Input `{graph.input}`: float32 of shape (N, {seen.image_channels}, {side}, {side}), "
        "values from 0 (black) to 1 (white)",
        f"Output `{_logits(graph)}`: float32 of shape (N, {classes}{map_sides}), scores in the "
        "order of the classes, to be divided by the temperature",
        "The script leaves out what `medistill predict` adds: DICOM and NIfTI with their gray "
        "scale, 16 bits, transparency, prediction sets, and the gate against strange images",
    ]


def _graph(manifest: Manifest) -> Graph | None:
    """The default one, or the first that onnxruntime predicts with."""
    found = [g for g in manifest.graphs if g.runtime == "onnxruntime" and g.role == "predict"]
    return next((g for g in found if g.name == manifest.default), found[0] if found else None)


def _logits(graph: Graph) -> str:
    return next(output for output, what in graph.outputs.items() if what == "logits")


def _head(manifest: Manifest, graph: Graph) -> str:
    seen, found = manifest.preprocessing, graph.calibration
    limits = [graph.thresholds.get(name, 0.5) for name in manifest.classes]
    return f"""\
import numpy as np
import onnxruntime
from PIL import Image, ImageOps

CLASSES = {list(manifest.classes)!r}
THRESHOLDS = np.array({_values(limits)})
TEMPERATURE = np.array({_values(found.labels or [found.temperature])})
STORED, SIZE = {seen.stored_size or seen.size}, {seen.size}
"""


def _values(numbers: Sequence[float]) -> str:
    return f"[{', '.join(repr(float(number)) for number in numbers)}]"


def _resized() -> str:
    return """
def resized(planes, width, height):
    made = [Image.fromarray(p).resize((width, height), Image.Resampling.BICUBIC) for p in planes]
    return np.clip(np.stack([np.asarray(m, dtype=np.float32) for m in made]), 0, 1)

"""


def _pixels(seen: Preprocessing) -> str:
    planes = "np.moveaxis(colours, -1, 0)"
    if seen.channels == "gray":
        planes = "(colours @ [0.299, 0.587, 0.114])[None]"
    return f"""\
upright = ImageOps.exif_transpose(Image.open("image.png"))
colours = np.asarray(upright.convert("RGB")) / 255
planes = {planes}.astype(np.float32)
height, width = planes.shape[1:]
scale = STORED / min(height, width)
stored = resized(planes, max(STORED, round(width * scale)), max(STORED, round(height * scale)))
stored = (np.rint(stored * 65535) / 65535).astype(np.float32)"""


def _fitted(seen: Preprocessing) -> str:
    """From the stored planes to the graph's square."""
    if seen.fit == "stretch":
        return "image = resized(stored, SIZE, SIZE)"
    side = "min" if seen.fit == "crop" else "max"
    scaled = f"""\
scale = SIZE / {side}(stored.shape[1:])
height, width = (max(1, round(n * scale)) for n in stored.shape[1:])
scaled = resized(stored, width, height)
"""
    if seen.fit == "crop":
        return f"""{scaled}\
top, left = -((SIZE - height) // 2), -((SIZE - width) // 2)
image = scaled[:, top : top + SIZE, left : left + SIZE]"""
    return f"""{scaled}\
top, left = (SIZE - height) // 2, (SIZE - width) // 2
image = np.zeros((len(scaled), SIZE, SIZE), dtype=np.float32)
image[:, top : top + height, left : left + width] = scaled"""


def _run(graph: Graph) -> str:
    return f"""
session = onnxruntime.InferenceSession({graph.files[0]!r}, providers=["CPUExecutionProvider"])
(logits,) = session.run([{_logits(graph)!r}], {{{graph.input!r}: image[None]}})
scores = np.moveaxis(logits[0].astype(np.float64), 0, -1) / TEMPERATURE"""


def _answer(manifest: Manifest) -> str:
    """Probabilities, the class axis last, and what holds at the operating point."""
    if manifest.task == "multi-label":
        return """\
chances = 1 / (1 + np.exp(-scores))
held = [name for name, yes in zip(CLASSES, chances >= THRESHOLDS) if yes]
print(held, dict(zip(CLASSES, chances.tolist())))
"""
    softmax = """\
raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
chances = raised / raised.sum(axis=-1, keepdims=True)
"""
    if manifest.task == "segmentation":
        return f"""{softmax}\
mask = (chances / THRESHOLDS).argmax(axis=-1)  # (SIZE, SIZE), numbers of CLASSES
print({{name: int((mask == number).sum()) for number, name in enumerate(CLASSES)}})
"""
    return f"""{softmax}\
print(CLASSES[(chances / THRESHOLDS).argmax()], dict(zip(CLASSES, chances.tolist())))
"""
