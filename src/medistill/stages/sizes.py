"""What teacher and student cost: parameters, multiply-adds, and time in one runtime."""

from __future__ import annotations

from typing import Any

from medistill.export.latency import Latencies, latencies
from medistill.models.network import Network
from medistill.models.profile import count_parameters, multiply_adds
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.student import open_student, shipped_outputs
from medistill.stages.teacher import open_teacher

_THREADS = 1


def sizes_of(context: Context, prepared: Prepared, fold: int) -> dict[str, dict[str, Any]]:
    """Size and speed of teacher and student, both exported and timed in one go.

    A teacher of several members is measured as what answers an image: all of them, and a body that
    they share once. ``members`` says how many there are.
    The control is the student's own architecture.

    Returns:
        By role ``parameters``, ``multiply_adds``, ``latency_ms``, ``graph_bytes`` (None where
        the graphs could not be made), ``image_size``, ``runtime``, and for the teacher ``members``.
    """
    teacher = open_teacher(context, prepared, fold)
    student = open_student(context, prepared, fold, 0, "student")
    networks = {"teacher": teacher.as_network(), "student": student}
    found = latencies(
        networks,
        task=prepared.images.task,
        threads=_THREADS,
        opset=context.recipe.export.opset,
        outputs={"student": shipped_outputs(student)},
    )
    if found.problem is not None:
        context.reporter.say(f"Times are those of {found.runtime}, because {found.problem}.")
    sizes = {role: _size(role, network, found) for role, network in networks.items()}
    sizes["teacher"]["members"] = len(teacher.members)
    return sizes


def _size(role: str, network: Network, found: Latencies) -> dict[str, Any]:
    return {
        "parameters": count_parameters(network),
        "multiply_adds": multiply_adds(network),
        "latency_ms": round(found.milliseconds[role], 3),
        "graph_bytes": found.graph_bytes.get(role),
        "image_size": network.preprocessing.size,
        "runtime": f"{found.runtime}, 1 thread",
    }
