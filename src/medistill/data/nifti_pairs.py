"""Layout ``nifti``: volumes beside label maps; every slice along one plane is a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Plane, Sample
from medistill.data.listing import found_below
from medistill.data.mask_classes import mask_classes
from medistill.data.nnunet import named_classes, unlabelled_test
from medistill.data.paired_folders import (
    LABEL_MAPS,
    FilePair,
    file_pairs,
    folder_pairs,
    seen_pairs,
    spare_masks,
)
from medistill.data.shown_classes import Shown, shown_in_slices
from medistill.imaging.nifti import other_grid

_UNLABELLED = "volume|volumes without label map is|are left out"
_NO_PATIENTS = "A volume is taken for a patient; several of one patient would leak."


def is_nifti_pairs(root: Path) -> bool:
    """Whether a folder holds NIfTI volumes beside label maps."""
    return any(found_below(pair.images, is_volume) for pair in folder_pairs(root, LABEL_MAPS))


def is_volume(path: Path) -> bool:
    """Whether a file has the ending of a NIfTI volume."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def read_nifti_pairs(root: Path, *, plane: Plane = "axial", workers: int = 0) -> ImageSet:
    """Read ``imagesTr`` and ``labelsTr`` (or ``images`` and ``labels``): a volume is a group.

    Volumes lie there at any depth, alone or by split, as in ``mask_folders``. A slice's label says
    which classes its mask shows. Their names are those of ``dataset.json``, as in ``nnunet``.

    Args:
        root: the folder.
        plane: along which plane the volumes are cut.
        workers: processes that read the label maps.

    Raises:
        DataError: no such folders, a volume without label map or with one of another grid, label
            maps as in ``mask_classes`` or ``nnunet.named_classes``, or damaged.
    """
    pairs = folder_pairs(root, LABEL_MAPS)
    if not pairs:
        cure = "Put volumes into 'imagesTr' and their label maps into 'labelsTr'."
        raise DataError(where=root, what="holds no volumes beside label maps", cure=cure)
    files, spare = file_pairs(pairs, is_volume, image="volume", mask="label map")
    for each in files:
        refuse_other_grid(each)
    maps = [each.mask for each in files]
    found = named_classes(mask_classes(maps, where=pairs[0].masks, workers=workers), root)
    shown = shown_in_slices(maps, plane=plane, classes=len(found.names), workers=workers)
    samples = [
        sample
        for each, labels in zip(files, shown, strict=True)
        for sample in slices_of(
            each, labels, plane, name=each.image.relative_to(root).as_posix(), group=_group(each)
        )
    ]
    return ImageSet(
        name="nifti",
        root=root,
        task="segmentation",
        classes=found.names,
        samples=tuple(samples),
        group_word="volume",
        caveats=(
            _NO_PATIENTS,
            *seen_pairs(pairs, root),
            *unlabelled_test(root, pairs, is_volume, _UNLABELLED),
            *spare_masks(spare, root),
            *found.caveats,
        ),
    )


def refuse_other_grid(pair: FilePair) -> None:
    """Refuse a label map on another grid than its volume's.

    Each is turned upright by its own affine: on two grids, one of them may come out mirrored.

    Raises:
        DataError: says how they differ; or one of them is damaged.
    """
    difference = other_grid(pair.image, pair.mask)
    if difference:
        cure = "Resample the label map to the grid of its volume."
        raise DataError(where=pair.mask, what=f"{difference} ({pair.image.name})", cure=cure)


def _group(pair: FilePair) -> str:
    # A number may be given again in another split.
    return pair.stem if pair.split is None else f"{pair.split}/{pair.stem}"


def slices_of(
    pair: FilePair,
    shown: Sequence[Shown],
    plane: Plane,
    *,
    name: str,
    group: str,
    attributes: Mapping[str, str] | None = None,
) -> list[Sample]:
    """Every slice of a volume as a sample, from the first to the last.

    Args:
        pair: the volume and its label map.
        shown: which classes each slice shows.
        plane: along which plane it is cut.
        name: of the volume, unique in the set.
        group: of all slices.
        attributes: of all slices.
    """
    return [
        Sample(
            path=pair.image,
            name=f"{name}#{plane}{number:05}",
            label=label,
            group=group,
            split=pair.split,
            mask=pair.mask,
            attributes=attributes or {},
            frame=number,
            plane=plane,
        )
        for number, label in enumerate(shown)
    ]
