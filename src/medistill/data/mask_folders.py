"""Layout ``masks``: a folder of images beside one of masks of the same names."""

from __future__ import annotations

from pathlib import Path

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Sample
from medistill.data.dicom_groups import FileGroups, attributes_of, groups_of_files, study_of
from medistill.data.folder import NO_PATIENTS
from medistill.data.listing import images_below, is_image_file
from medistill.data.mask_classes import mask_classes
from medistill.data.mask_sizes import check_sizes
from medistill.data.nifti_pairs import is_volume
from medistill.data.nnunet import named_classes, unlabelled_test
from medistill.data.paired_folders import (
    FilePair,
    file_pairs,
    folder_pairs,
    seen_pairs,
    spare_masks,
)
from medistill.data.shown_classes import Shown, shown_classes

_TRIED = 50
_UNLABELLED = "image|images without mask is|are left out"


def is_mask_folders(root: Path) -> bool:
    """Whether a folder holds images and masks, and no volumes."""
    pairs = folder_pairs(root)
    if not pairs or not any(images_below(pair.masks) for pair in pairs):
        return False
    found = [path for pair in pairs for path in images_below(pair.images)[:_TRIED]]
    return bool(found) and not any(map(is_volume, found))


def read_mask_folders(root: Path, *, workers: int = 0) -> ImageSet:
    """Read images and the masks that share their path below the folder, up to the ending.

    Below ``train``, ``val`` and ``test``, or with such folders in both, they have that split. The
    masks' values say the classes: two for black and white (JPEG masks are cut at half of white), 0
    to K - 1 for K classes. An image's label says which of them its mask shows.
    Their names are those of ``dataset.json``, as in ``nnunet``.

    Args:
        root: the folder.
        workers: processes that read the masks.

    Raises:
        DataError: no such folders, images without mask, names that do not say which belong
            together, masks of another shape than their images, or as in ``mask_classes`` or
            ``nnunet.named_classes``.
    """
    pairs = folder_pairs(root)
    if not pairs:
        cure = "Put images into 'images' and their masks, of the same names, into 'masks'."
        raise DataError(where=root, what="holds no folders of images and masks", cure=cure)
    files, spare = file_pairs(pairs, is_image_file, image="image", mask="mask")
    sizes = check_sizes([(each.image, each.mask) for each in files], workers=workers)
    masks = [each.mask for each in files]
    found = named_classes(mask_classes(masks, where=pairs[0].masks, workers=workers), root)
    shown = [shown_classes(values, len(found.names)) for values in found.values]
    images = {_name(root, each): each.image for each in files}
    grouped = groups_of_files(images, workers=workers)
    return ImageSet(
        name="masks",
        root=root,
        task="segmentation",
        classes=found.names,
        samples=_samples(root, files, shown, grouped),
        group_word=grouped.word,
        caveats=(
            *(() if grouped.word == "patient" else (NO_PATIENTS,)),
            *seen_pairs(pairs, root),
            *sizes,
            *unlabelled_test(root, pairs, is_image_file, _UNLABELLED),
            *spare_masks(spare, root),
            *found.caveats,
        ),
    )


def _samples(
    root: Path, files: list[FilePair], shown: list[Shown], grouped: FileGroups
) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            path=each.image,
            name=name,
            label=label,
            group=grouped.groups[name],
            split=each.split,
            mask=each.mask,
            attributes=attributes_of(grouped.known.get(name)),
            guessed=each.split is None and name not in grouped.known,
            study=study_of(grouped.known.get(name)),
        )
        for each, label in zip(files, shown, strict=True)
        for name in [_name(root, each)]
    )


def _name(root: Path, pair: FilePair) -> str:
    return pair.image.relative_to(root).as_posix()
