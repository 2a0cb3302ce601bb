"""Layout ``nifti``: volumes beside label maps; every slice along one plane is a sample."""

from __future__ import annotations

import re
from pathlib import Path

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Plane, Sample
from medistill.data.mask_classes import mask_classes
from medistill.imaging.nifti import other_grid, slice_count

_PAIRS = (("imagestr", "labelstr"), ("images", "labels"), ("images", "masks"), ("image", "label"))
_CHANNEL = re.compile(r"_0000$")
_NO_PATIENTS = "A volume is taken for a patient; several of one patient would leak."


def is_nifti_pairs(root: Path) -> bool:
    """Whether a folder holds NIfTI volumes beside label maps."""
    folders = _folders(root)
    return folders is not None and bool(_volumes(folders[0]))


def read_nifti_pairs(root: Path, *, plane: Plane = "axial", workers: int = 0) -> ImageSet:
    """Read ``imagesTr`` and ``labelsTr`` (or ``images`` and ``labels``): a volume is a group.

    Args:
        root: the folder.
        plane: along which plane the volumes are cut.
        workers: processes that read the label maps.

    Raises:
        DataError: no such folders, a volume without label map or with one of another grid, label
            maps as in ``mask_classes``, or damaged.
    """
    folders = _folders(root)
    if folders is None:
        cure = "Put volumes into 'imagesTr' and their label maps into 'labelsTr'."
        raise DataError(where=root, what="holds no volumes beside label maps", cure=cure)
    images, masks = (_volumes(folder) for folder in folders)
    missing = sorted(set(images) - set(masks))
    if missing or not images:
        what = f"{len(missing)} of {len(images)} volumes have no label map"
        raise DataError(where=folders[1], what=what, cure="Add or remove them.")
    stems = sorted(images)
    samples = [
        sample for stem in stems for sample in _slices(root, stem, images[stem], masks[stem], plane)
    ]
    found = mask_classes([masks[stem] for stem in stems], where=folders[1], workers=workers)
    return ImageSet(
        name="nifti",
        root=root,
        task="segmentation",
        classes=found.names,
        samples=tuple(samples),
        group_word="volume",
        caveats=(_NO_PATIENTS, *found.caveats),
    )


def _slices(root: Path, stem: str, image: Path, mask: Path, plane: Plane) -> list[Sample]:
    # Image and label map are each turned upright by their own affine: on two grids, one of them
    # may come out mirrored.
    difference = other_grid(image, mask)
    if difference:
        cure = "Resample the label map to the grid of its volume."
        raise DataError(where=mask, what=f"{difference} ({image.name})", cure=cure)
    name = image.relative_to(root).as_posix()
    return [
        Sample(
            path=image,
            name=f"{name}#{plane}{number:05}",
            label=None,
            group=stem,
            mask=mask,
            frame=number,
            plane=plane,
        )
        for number in range(slice_count(image, plane))
    ]


def _folders(root: Path) -> tuple[Path, Path] | None:
    if not root.is_dir():
        return None
    held = {path.name.lower(): path for path in root.iterdir() if path.is_dir()}
    pairs = ((held.get(one), held.get(two)) for one, two in _PAIRS)
    return next(((one, two) for one, two in pairs if one and two), None)


def _volumes(folder: Path) -> dict[str, Path]:
    """Volumes by name without ending and channel number."""
    found = sorted(p for p in folder.iterdir() if p.name.lower().endswith((".nii", ".nii.gz")))
    kept = (path for path in found if not path.name.startswith("."))
    return {_CHANNEL.sub("", path.name.split(".nii")[0]): path for path in kept}
