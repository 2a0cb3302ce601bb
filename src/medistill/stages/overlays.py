"""Writes pictures of where a run's teacher and student look on any images."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from medistill.core.errors import DataError, MissingExtraError
from medistill.core.files import write_bytes
from medistill.explain.maps import explain_batch
from medistill.explain.overlay import overlay
from medistill.imaging.resize import render, to_stored
from medistill.recipe import DataBlock
from medistill.serve.inputs import Input, find_inputs
from medistill.serve.output import named_refusals
from medistill.serve.volumes import InputReader
from medistill.stages.context import Reporter, SilentReporter
from medistill.stages.explained_models import ShownModel, shown_models
from medistill.stages.finished import finished_data
from medistill.stages.run import open_run

_OPTION = "--out"


def explain_images(
    out_of: str | Path,
    images: Sequence[str | Path],
    *,
    out: str | Path | None = None,
    reporter: Reporter | None = None,
) -> Path:
    """Write one overlay an image, model and method, for the class that the model says.

    Of labels that are not exclusive that is the most probable one. Of a teacher of several members
    the first is shown, and what is said names it so.

    Args:
        out_of: a run whose student is trained; its first fold and seed are shown.
        images: files and folders, of volumes every axial slice; what cannot be read is named and
            left out.
        out: folder of the overlays; ``explained`` in the run by default.
        reporter: where to speak; silent by default.

    Returns:
        The folder; a file is called ``<stem>.<role>.<method>.png`` with the picture's
        :attr:`~medistill.serve.inputs.Input.stem`, so that only overlays of the same picture are
        replaced.

    Raises:
        DataError: not one image could be read, or the run makes masks.
        RunFolderError: the run has no student yet.
        MedistillError: the overlays cannot be written.
    """
    speaker = reporter or SilentReporter()
    context = open_run(out_of, speaker)
    prepared, fold = finished_data(context), context.folds()[0]
    if prepared.images.task == "segmentation":
        raise DataError(
            where=out_of,
            what="this run makes masks, which say themselves where; there is no class to explain",
            cure="Write them with 'medistill predict BUNDLE IMAGE --masks FOLDER'.",
        )
    folder = Path(out) if out is not None else context.run.stage("explained")
    with named_refusals(folder, _OPTION):
        folder.mkdir(parents=True, exist_ok=True)
    models = shown_models(context, prepared, fold)
    done = 0
    for item, stored in _stored(images, context.recipe.data, speaker):
        done += 1
        for role, model in models.items():
            start = folder / f"{item.stem}.{role}"
            with named_refusals(folder, _OPTION):
                said = _write(start, stored, model, prepared.images.classes)
            speaker.say(f"{item.name}: {model.title} says {said}")
    if not done:
        raise DataError(where=images[0], what="no image could be read", cure="Check the files.")
    speaker.say(f"Overlays: {folder}")
    return folder


def _stored(
    images: Sequence[str | Path], data: DataBlock, speaker: Reporter
) -> Iterator[tuple[Input, np.ndarray]]:
    """What can be read, in the gray scale and the stored form that the run was trained on."""
    told = ""
    with InputReader() as reader:
        for item in find_inputs([Path(image) for image in images]):
            try:
                picture = reader.picture(item, data.window)
            except (DataError, MissingExtraError) as error:
                if str(error) != told:  # once for all slices of a volume
                    told = str(error)
                    speaker.say(f"left out: {told}")
                continue
            yield item, to_stored(picture, stored_size=data.stored_size, channels=data.channels)


def _write(start: Path, stored: np.ndarray, model: ShownModel, classes: Sequence[str]) -> str:
    """Write the overlays of one image and model to ``<start>.<method>.png``; what it said."""
    network, seen = model.network, model.network.preprocessing
    image = render(stored, size=seen.size, fit=seen.fit)
    batch = torch.from_numpy(image[None])
    with torch.inference_mode():
        said = network(batch.to(network.mean.device)).logits.argmax(dim=1)
    for name, heat in explain_batch(network, batch, said.clone()).items():
        stream = io.BytesIO()
        Image.fromarray(overlay(image, heat[0].numpy())).save(stream, format="PNG")
        method = name.lower().replace(" ", "-")
        write_bytes(start.with_name(f"{start.name}.{method}.png"), stream.getvalue())
    return classes[int(said[0])]
