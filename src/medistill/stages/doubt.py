"""Whether the figures of a run are of the models that it holds, for commands that read them."""

from __future__ import annotations

from pathlib import Path

from medistill.core.errors import RecipeError, RunFolderError
from medistill.core.run_folder import RECIPE
from medistill.stages.data import STAGE, open_data
from medistill.stages.evaluation import EVALUATION, is_evaluated
from medistill.stages.finished import again
from medistill.stages.run import open_run


def doubt(evaluation: Path) -> str | None:
    """What to say of an evaluation that is not of the models in its run now; None for nothing.

    Students may have been trained again since, or the recipe have been changed by ``medistill
    teach``. A folder that is not a run's own evaluation is judged by nothing but its files.

    Args:
        evaluation: folder with ``metrics.json``.
    """
    place = evaluation.resolve()
    run = evaluation.parent if evaluation.name == EVALUATION else place.parent
    if place.name != EVALUATION or not (run / RECIPE).is_file():
        return None
    if _is_current(run):
        return None
    return (
        f"The evaluation of {place.parent.name} is not of the models and the recipe that the run "
        f"holds now: {again(run)} makes it anew."
    )


def refuse_doubtful(run: Path) -> None:
    """Refuse to go on from figures of other models.

    Raises:
        RunFolderError: as :func:`doubt` says.
    """
    if doubt(run / EVALUATION):
        raise RunFolderError(
            where=run,
            what="its evaluation is not of the models and the recipe that it holds now",
            cure=f"{again(run)} makes it anew.",
        )


def _is_current(run: Path) -> bool:
    """What cannot be told, because recipe or data are not there to be read, is not current."""
    try:
        context = open_run(run)
        return is_evaluated(context, open_data(context.run.whole(STAGE)))
    except (RecipeError, RunFolderError):
        return False
