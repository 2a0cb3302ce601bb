"""Which networks of a run stand for its teacher and student where maps are drawn."""

from __future__ import annotations

from dataclasses import dataclass

from medistill.models.network import Network
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.student import open_student
from medistill.stages.teacher import open_teacher


@dataclass(frozen=True, kw_only=True, eq=False)
class ShownModel:
    """One network whose maps are drawn.

    Attributes:
        title: its role, and which of several members it is.
        network: in eval mode.
    """

    title: str
    network: Network


def shown_models(context: Context, prepared: Prepared, fold: int) -> dict[str, ShownModel]:
    """Teacher and first student of a fold, by role.

    Members of a teacher differ in where they look, and a mean of their maps is nobody's; the first
    stands for them, and its title says so.
    """
    members = open_teacher(context, prepared, fold).members
    which = f" (first of {len(members)} members)" if len(members) > 1 else ""
    student = open_student(context, prepared, fold, 0, "student")
    return {
        "teacher": ShownModel(title=f"teacher{which}", network=members[0]),
        "student": ShownModel(title="student", network=student),
    }
