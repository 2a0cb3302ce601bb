"""Starts NNCF in a process of its own: a folder in, a folder out.

NNCF and OpenVINO keep threads and locks that do not survive beside other programs' processes: in
one process with a training or a test suite they abort it. What they break in their own process
refuses one variant, and nothing else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medistill.core.errors import ExportError
from medistill.core.files import write_json
from medistill.core.types import Task

#: Names in the folder that goes in, and in the one that comes out.
GRAPH, IMAGES, JOB, RESULT = "graph.onnx", "images.npz", "job.json", "quantised.xml"
# A student takes seconds; NNCF's search for layers that must stay float32 compiles one graph for
# each of them, which for a network of a hundred layers would outlast its training.
_SECONDS = 300


def quantise_apart(
    graph: Path,
    result: Path,
    *,
    task: Task,
    ranges: NDArray[np.float32],
    control: NDArray[np.float32],
    agreement: float,
) -> None:
    """Quantise a graph to OpenVINO's INT8 under accuracy control.

    Args:
        graph: ONNX in float32.
        result: ``.xml`` to write; its weights lie beside it as ``.bin``.
        task: what the labels are.
        ranges: (M, C, S, S) images that ranges of activations are taken from.
        control: (N, C, S, S) images on which labels must stay; layers that move too many of them
            go back to float32, one after the other.
        agreement: share of labels of ``control`` that must stay, in (0, 1].

    Raises:
        ExportError: the process failed, with its last line, or took longer than five minutes.
    """
    with tempfile.TemporaryDirectory() as place:
        given, made = Path(place) / "in", Path(place) / "out"
        given.mkdir()
        made.mkdir()
        shutil.copyfile(graph, given / GRAPH)
        np.savez(given / IMAGES, ranges=ranges, control=control)
        write_json(given / JOB, {"task": task, "agreement": agreement})
        _run(given, made)
        for ending in (".xml", ".bin"):
            shutil.copyfile((made / RESULT).with_suffix(ending), result.with_suffix(ending))


def _run(given: Path, made: Path) -> None:
    command = [sys.executable, "-m", "medistill.export.nncf_process", str(given), str(made)]
    # NNCF reports nothing to anybody.
    environment = {**os.environ, "NNCF_CI": "1", "PYTHONWARNINGS": "ignore"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _failure(f"NNCF took longer than {_SECONDS // 60} minutes") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise _failure(f"NNCF failed with code {done.returncode} ({last[:200]})")


def _failure(what: str) -> ExportError:
    return ExportError(
        where="export", what=what, cure="Export without this variant, or update NNCF."
    )
