"""``medistill predict``: pictures in, a table and masks out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from medistill.commands.plane import Plane, PlaneName


class _MaskForm(StrEnum):
    PNG = "png"
    NIFTI = "nifti"
    SEG = "seg"


Bundle = Annotated[Path, typer.Argument(help="Bundle: a folder or a .zip.")]
Inputs = Annotated[
    list[Path], typer.Argument(help="PNG, JPEG, TIFF, BMP, DICOM or NIfTI files, or folders.")
]
Out = Annotated[
    Path | None, typer.Option("--out", help=".csv, .jsonl or .parquet; otherwise printed.")
]
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, help="Images that run together.")]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, help="Threads; all cores when not given.")
]
GraphName = Annotated[str | None, typer.Option("--graph", help="Variant to run.")]
Masks = Annotated[Path | None, typer.Option("--masks", help="Folder for masks; made if absent.")]
MaskForm = Annotated[
    _MaskForm, typer.Option("--mask-form", help="nifti: one file a volume; seg: DICOM SEG.")
]

WindowName = Annotated[
    str | None,
    typer.Option(
        "--window",
        help="Gray scale of CT where the bundle names none: lung, mediastinum, bone or -600/1500.",
    ),
]


def predict(
    bundle: Bundle,
    inputs: Inputs,
    out: Out = None,
    batch_size: BatchSize = 16,
    threads: Threads = None,
    graph: GraphName = None,
    masks: Masks = None,
    mask_form: MaskForm = _MaskForm.PNG,
    plane: Plane = PlaneName.AXIAL,
    window: WindowName = None,
) -> None:
    """Predict images with a bundle; the same command again goes on. Needs no torch.

    The exit code is 0 if anything was predicted, and 2 if nothing was. Inputs that cannot be read
    are counted at the end and stand in the table with their problem.
    """
    from medistill.serve.command import predict_command

    raise typer.Exit(
        predict_command(
            bundle,
            inputs,
            out=out,
            batch_size=batch_size,
            threads=threads,
            graph=graph,
            masks=masks,
            mask_form=mask_form.value,
            plane=plane.value,
            window=window,
        )
    )
