"""Layout ``masks``: a folder of images beside one of masks of the same names."""

from __future__ import annotations

from pathlib import Path

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Sample
from medistill.data.duplicates import identical_files
from medistill.data.folder import NO_PATIENTS, images_below
from medistill.data.mask_classes import mask_classes

_IMAGES = ("images", "image", "imgs", "cxrs")
_MASKS = ("masks", "mask", "labels", "gt", "groundtruth")


def is_mask_folders(root: Path) -> bool:
    """Whether a folder holds images and masks, and no volumes."""
    folders = _folders(root)
    if folders is None:
        return False
    names = [path.name.lower() for path in images_below(folders[0])[:50]]
    return bool(names) and not any(name.endswith((".nii", ".nii.gz")) for name in names)


def read_mask_folders(root: Path, *, workers: int = 0) -> ImageSet:
    """Read images and the masks that share their path below the folder, up to the ending.

    The masks' values say the classes: two for black and white (JPEG masks are cut at half of
    white), 0 to K - 1 for K classes.

    Args:
        root: the folder.
        workers: processes that read the masks.

    Raises:
        DataError: no such folders, images without mask, or masks as in ``mask_classes``.
    """
    folders = _folders(root)
    if folders is None:
        cure = "Put images into 'images' and their masks, of the same names, into 'masks'."
        raise DataError(where=root, what="holds no folders of images and masks", cure=cure)
    images, masks = ({_stem(p, folder): p for p in images_below(folder)} for folder in folders)
    missing = sorted(set(images) - set(masks))
    if missing or not images:
        what = f"{len(missing)} of {len(images)} images have no mask"
        example = f", for example {missing[0]}" if missing else ""
        raise DataError(where=folders[1], what=what + example, cure="Add or remove them.")
    group = identical_files({stem: path for stem, path in images.items()})
    found = mask_classes(
        [masks[stem] for stem in sorted(images)], where=folders[1], workers=workers
    )
    return ImageSet(
        name="masks",
        root=root,
        task="segmentation",
        classes=found.names,
        samples=tuple(
            Sample(
                path=images[stem],
                name=images[stem].relative_to(root).as_posix(),
                label=None,
                group=group[stem],
                mask=masks[stem],
                guessed=True,
            )
            for stem in sorted(images)
        ),
        group_word="image",
        caveats=(NO_PATIENTS, *found.caveats),
    )


def _folders(root: Path) -> tuple[Path, Path] | None:
    if not root.is_dir():
        return None
    held = {path.name.lower(): path for path in root.iterdir() if path.is_dir()}
    images = next((held[name] for name in _IMAGES if name in held), None)
    masks = next((held[name] for name in _MASKS if name in held), None)
    return (images, masks) if images and masks else None


def _stem(path: Path, folder: Path) -> str:
    stem = path.relative_to(folder).with_suffix("").as_posix()
    return stem.removesuffix("_mask").removesuffix(".nii")
