"""How the teacher stands beside the control on *select*, told before students are trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from medistill.models.network import Network
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.mask_prediction import mask_scores
from medistill.stages.prediction import predict_rows, predict_teacher
from medistill.stages.scoring import selection_scores
from medistill.stages.student import open_student
from medistill.teacher.frozen import FrozenTeacher

_WORDS = {"auroc": "AUROC", "dice": "Dice"}


def network_scores(
    network: Network, prepared: Prepared, rows: Sequence[int]
) -> Mapping[str, float]:
    """AUROC and loss of labels, Dice and loss of masks."""
    if prepared.masks is not None:
        return mask_scores(network, prepared, rows)
    answers = predict_rows(network, prepared, rows)
    return selection_scores(prepared.labels[list(rows)], answers, prepared.images.task)


def teacher_scores(
    teacher: FrozenTeacher, prepared: Prepared, rows: Sequence[int]
) -> Mapping[str, float]:
    """The same of a teacher; of several members that draw masks, of the first."""
    if prepared.masks is not None:
        return mask_scores(teacher.members[0], prepared, rows)
    answers = predict_teacher(teacher, prepared, rows)
    return selection_scores(prepared.labels[list(rows)], answers, prepared.images.task)


def caution(context: Context, prepared: Prepared, fold: int, teacher: FrozenTeacher) -> str | None:
    """A sentence if the teacher is no better than the first control on the fold's *select*.

    A student follows its teacher, also to where it would not have come by itself. A score that
    *select* cannot give (an AUROC of one class) says nothing.
    """
    rows = prepared.parts[fold].select
    control = network_scores(open_student(context, prepared, fold, 0, "control"), prepared, rows)
    by = next(name for name in _WORDS if name in control)
    score = teacher_scores(teacher, prepared, rows)[by]
    if not score <= control[by]:
        return None
    where = f"on the {len(rows)} images of {context.scope(fold)}select"
    return (
        f"Caution: {where} the teacher's {_WORDS[by]} is {score:.3f} and the control's "
        f"{control[by]:.3f}. A teacher that is no better than training without one has little to "
        "hand on, and a student that follows it may become worse: fit it longer, give it more "
        "images, or choose another with teacher.model."
    )
