"""What kind of picture a student was trained on: as the files say, else as the recipe does."""

from __future__ import annotations

from pathlib import Path

from medistill.bundle.acquisition import Acquisition
from medistill.core.errors import DataError
from medistill.imaging.identity import Identity, read_identity
from medistill.stages.context import Context
from medistill.stages.data import Prepared


def acquisition_of(context: Context, prepared: Prepared, fold: int) -> Acquisition:
    """Modalities and body parts of the part *fit*, sorted."""
    samples = prepared.images.samples
    paths = {samples[row].path for row in prepared.parts[fold].fit}
    found = [_identity(path) for path in sorted(paths)]
    block = context.recipe.export
    modalities = {each.modality.upper() for each in found if each.modality}
    parts = {each.body_part.upper() for each in found if each.body_part}
    return Acquisition(
        modalities=tuple(sorted(modalities)) or block.modalities,
        body_parts=tuple(sorted(parts)) or block.body_parts,
    )


def _identity(path: Path) -> Identity:
    """Of a DICOM file; empty for any other, and where its header cannot be read."""
    try:
        return read_identity(path) or Identity()
    except DataError:
        return Identity()
