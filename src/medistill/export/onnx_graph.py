"""A network as an ONNX graph: float32, any batch size, normalisation inside."""

from __future__ import annotations

import copy
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import onnx
import torch
from torch import Tensor, nn

from medistill.core.errors import ExportError, UnknownNameError
from medistill.core.files import write_bytes
from medistill.export.fingerprint import fingerprint
from medistill.models.network import Network

INPUT, LOGITS = "image", "logits"
NO_OUTPUTS: Mapping[str, str] = MappingProxyType({})
#: One ONNX file is one protocol-buffer message, which ends at 2 GiB.
_LARGEST = 2**31 - 2**24
#: The last graphs by all that they depend on, oldest first: a run times its student's graph and
#: then ships it, and making it again takes many times longer than running it.
_made: dict[tuple[object, ...], bytes] = {}
_KEPT = 2**27  # bytes of all of them together


@dataclass(frozen=True, kw_only=True)
class GraphInfo:
    """What was exported.

    Attributes:
        path: the ONNX file.
        opset: version of the ONNX operator set.
        input: name of the input.
        input_shape: (C, S, S) of one image in [0, 1]; the batch size is free.
        outputs: output name -> ``logits`` or the feature it holds.
        size: length of the file in bytes.
    """

    path: Path
    opset: int
    input: str
    input_shape: tuple[int, int, int]
    outputs: Mapping[str, str]
    size: int


class _Traced(nn.Module):
    """Returns a tuple in a fixed order, as graph outputs must be."""

    def __init__(self, network: Network, features: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.features = network, features

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        outputs = self.network(image, frozenset(self.features))
        return (outputs.logits, *(outputs.features[name] for name in self.features))


def portable_copy(network: Network) -> Network:
    """A float32 copy on the CPU in eval mode; the network itself is left as it is."""
    return copy.deepcopy(network).cpu().float().eval()


def export_onnx(
    network: Network,
    path: Path,
    *,
    opset: int = 18,
    outputs: Mapping[str, str] = NO_OUTPUTS,
) -> GraphInfo:
    """Write a network as one self-contained ONNX file.

    The graph takes ``image``, float32 (B, C, S, S) in [0, 1] with B free, and gives ``logits``
    (B, K). What the exporter notes about this machine (source paths, stack traces) is removed.

    Args:
        network: any network; neither its mode nor its device is changed.
        path: file to write, atomically.
        opset: ONNX operator set.
        outputs: further graph outputs: name -> feature that the network is asked for.

    Raises:
        ExportError: the network uses something that ONNX cannot say, or is larger than 2 GiB.
        UnknownNameError: the backbone has no such feature.
    """
    _check_size(network)
    features = tuple(outputs.values())
    for feature in features:
        if feature not in network.feature_names:
            raise UnknownNameError(
                where="export", kind="feature", name=feature, known=network.feature_names
            )
    write_bytes(path, _graph(portable_copy(network), opset, outputs))
    return GraphInfo(
        path=path,
        opset=opset,
        input=INPUT,
        input_shape=network.input_shape,
        outputs={LOGITS: LOGITS, **outputs},
        size=path.stat().st_size,
    )


def forget_graphs() -> None:
    """Make every graph anew from here on."""
    _made.clear()


def _graph(network: Network, opset: int, outputs: Mapping[str, str]) -> bytes:
    """The file's bytes, out of memory where this very graph was made a moment ago."""
    known = fingerprint(network)
    key = (known, opset, tuple(outputs.items()))
    if key in _made:
        return _made[key]
    graph = _serialised(network, opset, outputs)
    if known is not None:
        _made[key] = graph
    while sum(map(len, _made.values())) > _KEPT:
        _made.pop(next(iter(_made)))
    return graph


def _serialised(network: Network, opset: int, outputs: Mapping[str, str]) -> bytes:
    module = _Traced(network, tuple(outputs.values()))
    model = _traced(module, network, opset, tuple(outputs))
    _strip(model)
    _check(model)
    graph: bytes = model.SerializeToString(deterministic=True)
    return graph


def _traced(
    module: nn.Module, network: Network, opset: int, names: tuple[str, ...]
) -> onnx.ModelProto:
    # Two images: torch.export takes a batch of one for a constant.
    example = torch.zeros((2, *network.input_shape))
    with _quiet():
        try:
            program = torch.onnx.export(
                module,
                (example,),
                input_names=[INPUT],
                output_names=[LOGITS, *names],
                opset_version=opset,
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                external_data=False,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise _impossible(str(error.__cause__ or error)) from error
    if program is None:
        raise _impossible("the exporter returned nothing")
    return program.model_proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress, warnings and log lines off the console."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _strip(model: onnx.ModelProto) -> None:
    """Remove notes that name files of this machine; nothing that is computed changes."""
    del model.metadata_props[:]
    model.doc_string = ""
    model.graph.name = "student"
    for graph in (model.graph, *model.functions):
        _strip_notes(graph)


def _strip_notes(graph: onnx.GraphProto | onnx.FunctionProto) -> None:
    del graph.metadata_props[:]
    graph.doc_string = ""
    described = [*graph.node, *graph.value_info]
    if isinstance(graph, onnx.GraphProto):
        described += [*graph.input, *graph.output, *graph.initializer]
    for item in described:
        del item.metadata_props[:]
        item.doc_string = ""
    for node in graph.node:
        for attribute in node.attribute:
            attribute.doc_string = ""
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                _strip_notes(inner)


def _check(model: onnx.ModelProto) -> None:
    if model.graph.input[0].type.tensor_type.shape.dim[0].HasField("dim_value"):
        raise _impossible("it takes batches of one size only")
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise _impossible(str(error)) from error


def _check_size(network: Network) -> None:
    tensors = [*network.parameters(), *network.buffers()]
    if sum(4 * tensor.numel() for tensor in tensors) > _LARGEST:
        raise ExportError(
            where="export",
            what="the network is larger than 2 GiB, which one ONNX file cannot hold",
            cure="Choose a smaller student.",
        )


def _impossible(reason: str) -> ExportError:
    line = (reason.strip() or "no reason given").splitlines()[0]
    return ExportError(
        where="export",
        what=f"the network cannot be written as ONNX ({line})",
        cure="Choose another student, or one of ours ('vit').",
    )
