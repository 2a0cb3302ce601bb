"""Networks of a run in eager PyTorch, for ``bench``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from medistill.core.timing import times_in_turns
from medistill.export.gate import speed_of
from medistill.models.network import Network
from medistill.models.profile import count_parameters, multiply_adds
from medistill.stages.data import prepare_data
from medistill.stages.run import open_run
from medistill.stages.student import open_student
from medistill.stages.teacher import open_teacher

_BATCHES = (1, 8)


def network_rows(path: Path, *, threads: int, runs: int) -> list[dict[str, Any]]:
    """Teacher (its first member), student and control of the first fold and seed."""
    context = open_run(path)
    prepared, fold = prepare_data(context), context.folds()[0]
    networks = {
        "teacher": open_teacher(context, prepared, fold).members[0],
        "student": open_student(context, prepared, fold, 0, "student"),
        "control": open_student(context, prepared, fold, 0, "control"),
    }
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return [_row(name, network, threads, runs) for name, network in networks.items()]
    finally:
        torch.set_num_threads(before)


def _row(name: str, network: Network, threads: int, runs: int) -> dict[str, Any]:
    speeds = []
    with torch.inference_mode():
        for batch in _BATCHES:
            images = torch.rand((batch, *network.input_shape))
            (taken,) = times_in_turns([lambda i=images: network(i)], runs=runs)  # type: ignore[misc]
            speeds.append(asdict(speed_of(taken, threads=threads, batch=batch)))
    return {
        "name": name,
        "graph": "eager PyTorch",
        "parameters": count_parameters(network),
        # Counted once, with fused attention taken apart; two FLOPs a multiply-add.
        "multiply_adds": multiply_adds(network),
        "file_bytes": sum(4 * tensor.numel() for tensor in network.state_dict().values()),
        "speeds": speeds,
        "peak_memory_bytes": None,
        "problem": None,
    }
