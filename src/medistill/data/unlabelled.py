"""Images without labels: every image below a folder, or phantoms whose labels are forgotten."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from medistill.core.errors import DataError
from medistill.core.types import Sample
from medistill.data.layouts import read_data
from medistill.data.listing import images_below


def read_unlabelled(spec: str, *, cache: Path, workers: int = 0) -> tuple[Sample, ...]:
    """List unlabelled images, each under a name of its own below ``unlabelled/``.

    Args:
        spec: folder, searched through, or a phantom specification.
        cache: where phantoms are drawn.
        workers: processes that draw them.

    Returns:
        Samples without label or split, sorted by name.

    Raises:
        DataError: no such folder, or no image in it.
    """
    if spec.split(":", 1)[0] == "phantom":
        samples = read_data(spec, layout="phantom", cache=cache, workers=workers).samples
    else:
        samples = _below(Path(spec))
    return tuple(_forget(sample) for sample in samples)


def _below(root: Path) -> tuple[Sample, ...]:
    paths = images_below(root)
    if not paths:
        raise DataError(
            where=root,
            what="holds no image",
            cure="Name a folder with PNG, JPEG, TIFF, BMP or DICOM files in data.unlabelled.",
        )
    names = [path.relative_to(root).as_posix() for path in paths]
    return tuple(
        Sample(path=path, name=name, label=None, group=name)
        for path, name in zip(paths, names, strict=True)
    )


def _forget(sample: Sample) -> Sample:
    name = f"unlabelled/{sample.name}"
    return dataclasses.replace(sample, name=name, label=None, group=name, split=None, mask=None)
