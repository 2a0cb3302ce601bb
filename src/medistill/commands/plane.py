"""The option ``--plane``, which several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class PlaneName(StrEnum):
    """Planes along which a volume can be cut."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


Plane = Annotated[PlaneName, typer.Option("--plane", help="Along which NIfTI volumes are cut.")]
