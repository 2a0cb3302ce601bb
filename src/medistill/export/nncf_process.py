"""Quantises one graph with NNCF; runs in a process of its own (see ``quantising``).

Run: python -m medistill.export.nncf_process FOLDER_IN FOLDER_OUT
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import openvino
from numpy.typing import NDArray

from medistill.bundle.calibration import decide, probabilities
from medistill.core.files import read_json
from medistill.core.types import Task
from medistill.export.quantising import GRAPH, IMAGES, JOB, RESULT

_LOGITS = "logits"
# Layers that go back to float32 at most; with more of them INT8 is no longer faster.
_MOST_REVERTED = 12
# NNCF's notes about its own run are no part of the graph, and may name files.
_NOTES = ("nncf", "conversion_parameters", "optimization")
Images = NDArray[np.float32]


def quantise(graph: Path, *, task: Task, ranges: Images, control: Images, agreement: float) -> Any:
    """The quantised model, with what moves too many labels left in float32.

    Args:
        graph: ONNX in float32.
        task: what the labels are.
        ranges: (M, C, S, S).
        control: (N, C, S, S).
        agreement: share of the graph's own labels that must stay.
    """
    model = openvino.Core().read_model(graph)
    expected = _labels(_answers(_compiled(model), control), task)
    rows = list(enumerate(control))
    return nncf.quantize_with_accuracy_control(
        model,
        calibration_dataset=nncf.Dataset([image[None] for image in ranges]),
        validation_dataset=nncf.Dataset(rows, lambda row: row[1][None]),
        validation_fn=agreement_with(expected, task),
        max_drop=1 - agreement,
        drop_type=nncf.DropType.ABSOLUTE,
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(ranges),
        advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
            max_num_iterations=_MOST_REVERTED
        ),
    )


def agreement_with(
    expected: NDArray[np.bool_], task: Task
) -> Callable[[Any, Iterable[tuple[int, Images]]], tuple[float, list[list[Images]]]]:
    """What NNCF validates with: the share of equal labels, and the logits of each image.

    Args:
        expected: labels of all control images, (N, K) or (N, K, H, W).
        task: what the labels are.
    """

    def validate(
        compiled: Any, rows: Iterable[tuple[int, Images]]
    ) -> tuple[float, list[list[Images]]]:
        numbers, images = zip(*rows, strict=True)
        logits = _answers(compiled, images)
        same = (_labels(logits, task) == expected[list(numbers)]).all(axis=1)
        return float(same.mean()), [[row[None]] for row in logits]

    return validate


def _compiled(model: Any) -> Any:
    """In float32, said explicitly: OpenVINO would choose bfloat16 where the processor has it."""
    return openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def _answers(compiled: Any, images: Iterable[Images]) -> Images:
    request = compiled.create_infer_request()
    found = []
    for image in images:
        request.infer([image[None]])
        found.append(np.array(request.get_tensor(_LOGITS).data))
    return np.concatenate(found)


def _labels(logits: Images, task: Task) -> NDArray[np.bool_]:
    """At the plain operating point; thresholds are fitted to each variant afterwards."""
    classes = [str(number) for number in range(logits.shape[1])]
    return decide(probabilities(logits, task=task), task=task, classes=classes, thresholds={})


def main(given: Path, made: Path) -> None:
    """Quantise what one folder holds into another."""
    nncf.set_log_level(logging.ERROR)
    job = read_json(given / JOB)
    with np.load(given / IMAGES, allow_pickle=False) as images:
        model = quantise(
            given / GRAPH,
            task=job["task"],
            ranges=images["ranges"],
            control=images["control"],
            agreement=job["agreement"],
        )
    for note in _NOTES:
        if model.has_rt_info([note]):
            model.set_rt_info("", [note])
    openvino.save_model(model, made / RESULT, compress_to_fp16=False)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
