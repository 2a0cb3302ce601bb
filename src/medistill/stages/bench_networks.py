"""Networks of a run in eager PyTorch, for ``bench``: each in a process of its own, under limits.

Run: python -m medistill.stages.bench_networks RUN ROLE THREADS MEMORY_BYTES RUNS
"""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from medistill.bundle.bundle import open_bundle
from medistill.models.network import Network
from medistill.models.profile import count_parameters, multiply_adds
from medistill.models.weights import state_hash
from medistill.serve.device import constrain
from medistill.serve.measuring import figures, measured_by, tell
from medistill.stages.bundle import BUNDLE
from medistill.stages.doubt import doubt
from medistill.stages.evaluation import EVALUATION
from medistill.stages.finished import finished_data
from medistill.stages.judging import METRICS
from medistill.stages.run import open_run
from medistill.stages.student import open_student
from medistill.stages.teacher import open_teacher

ROLES = ("teacher", "student", "control")
_RUNS, _SHOWN = 3, 8


def network_rows(
    path: Path, *, threads: int, memory_bytes: int | None, runs: int
) -> list[dict[str, Any]]:
    """Teacher (all its members), student and control of the first fold and seed."""
    rows = []
    for role in ROLES:
        network = _open(path, role)
        found = measured_by(
            "medistill.stages.bench_networks",
            [str(path), role],
            name="eager PyTorch",
            file_bytes=_file_bytes(network),
            threads=threads,
            memory_bytes=memory_bytes,
            runs=runs,
        )
        work = {
            "parameters": count_parameters(network),
            # Counted once, with fused attention taken apart; two FLOPs a multiply-add.
            "multiply_adds": multiply_adds(network),
        }
        rows.append({"name": role, **work, **asdict(found)})
    return rows


def notes_of(path: Path) -> list[str]:
    """What to say where a run's evaluation or bundle is not of the models that it holds now."""
    evaluation, shipped = path / EVALUATION, open_bundle(path / BUNDLE).manifest.provenance.student
    said = doubt(evaluation) if (evaluation / METRICS).is_file() else None
    notes = [said] if said else []
    if shipped != state_hash(_open(path, "student")):
        cure = f"'medistill export {shlex.quote(str(path))}' makes it anew"
        notes.append(f"The bundle is not of the student that the run holds now: {cure}.")
    return notes


def _file_bytes(network: Network) -> int:
    """Of its weights in float32; a body that members share counts once."""
    state = network.state_dict(keep_vars=True)
    return sum(
        4 * tensor.numel() for tensor in {id(each): each for each in state.values()}.values()
    )


def _open(path: Path, role: str) -> Network:
    """On the processor, which is what is measured."""
    context = open_run(path)
    prepared, fold = finished_data(context), context.folds()[0]
    if role == "teacher":
        return open_teacher(context, prepared, fold).as_network().cpu()
    return open_student(context, prepared, fold, 0, role).cpu()


def _kernels(network: Network) -> dict[str, float]:
    """Share of the time of PyTorch's own operators, as its profiler tells."""
    image = torch.zeros((1, *network.input_shape))
    with torch.inference_mode(), profile(activities=[ProfilerActivity.CPU]) as told:
        for _ in range(_RUNS):
            network(image)
    spent: Counter[str] = Counter()
    for event in told.key_averages():
        spent[event.key] += event.self_cpu_time_total
    whole = sum(spent.values())
    return {kind: round(time / whole, 4) for kind, time in spent.most_common(_SHOWN) if whole}


def _measure_here(
    path: Path, role: str, *, threads: int, memory_bytes: int | None, runs: int
) -> dict[str, Any]:
    """Measure a network in this process; its limits stay."""
    network = _open(path, role)
    # Limits hold from here on, for what the libraries hold by now as well.
    enforced = constrain(threads=threads, memory_bytes=memory_bytes)
    torch.set_num_threads(threads)

    def run(images: Any) -> Tensor:
        with torch.inference_mode():
            logits: Tensor = network(torch.from_numpy(images)).logits
            return logits

    return figures(
        run,
        lambda: _kernels(network),
        shape=network.input_shape,
        threads=threads,
        runs=runs,
        enforced=enforced,
    )


def main(arguments: list[str]) -> None:
    """Measure the network that the arguments name, and print it."""
    path, role, threads, memory, runs = arguments
    tell(
        lambda: _measure_here(
            Path(path),
            role,
            threads=int(threads),
            memory_bytes=int(memory) or None,
            runs=int(runs),
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
