"""Folders of images beside folders of their masks: how they are called, and which files pair."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medistill.core.counting import counted
from medistill.core.errors import DataError
from medistill.data.listing import files_below, found_below, images_below, subfolders
from medistill.data.mask_likeness import masks_of_images
from medistill.data.split_folders import split_folders
from medistill.imaging.reader import is_image_name

#: Names of folders of images and of masks, lower case, the likeliest first.
IMAGES = ("imagestr", "images", "image", "imgs", "img", "cxrs")
MASKS = (
    *("masks", "mask", "labelstr", "labels", "label", "gt", "groundtruth", "ground_truth"),
    *("annotations", "annotation", "segmentations", "segmentation", "seg", "segs"),
)
#: As ``MASKS`` beside volumes, whose masks may show no more than the body.
LABEL_MAPS = tuple(sorted(MASKS, key=lambda name: not name.startswith("label")))
# What the name of a mask has more than that of its image.
_MASK_ENDS = ("", "_mask", "_seg", "_segmentation", "_label", "_gt")
# nnU-Net numbers the channels of an image.
_CHANNEL = "_0000"
_FURTHER_CHANNEL = re.compile(r"(.+)_(?!0000)\d{4}")
# Its folders of a published test set.
_TEST = ("imagests", "labelsts")


@dataclass(frozen=True)
class FolderPair:
    """A folder of images, that of their masks, and the published split that they are of.

    Attributes:
        images: the one.
        masks: the other.
        split: the published split, or None.
        seen: whether what the files show says which is which, and no name.
    """

    images: Path
    masks: Path
    split: str | None = None
    seen: bool = False


@dataclass(frozen=True)
class FilePair:
    """An image and its mask.

    Attributes:
        stem: the image's name below its folder without its ending and channel.
        image: the image.
        mask: its mask.
        split: the published split, or None.
    """

    stem: str
    image: Path
    mask: Path
    split: str | None


def folder_pairs(root: Path, masks: Sequence[str] = MASKS) -> list[FolderPair]:
    """Folders of images and masks in a folder, alone or below or above train, val and test.

    Two folders of other names are a pair if their files are called alike and those of one alone
    look like masks. Beside ``imagesTr`` and ``labelsTr``, ``imagesTs`` and ``labelsTs`` are a test.

    Args:
        root: the folder.
        masks: names of folders of masks, the likeliest first.

    Raises:
        DataError: some of the splits hold masks, and some do not.
    """
    if not root.is_dir():
        return []
    alone = _pair(root, masks)
    if alone is not None:
        return _with_test(root, alone) or _by_split(alone)
    splits = split_folders(root)
    found = {place: _pair(place, masks) for place in splits}
    bare = sorted(place for place, pair in found.items() if pair is None)
    if bare and len(bare) < len(found):
        raise DataError(
            where=bare[0],
            what="holds no folders of images and masks, as other splits do",
            cure="Add the masks, or move this folder away.",
        )
    pairs = ((pair, splits[place]) for place, pair in found.items() if pair is not None)
    return [replace(pair, split=split) for pair, split in pairs]


def file_pairs(
    pairs: Iterable[FolderPair], wanted: Callable[[Path], bool], *, image: str, mask: str
) -> tuple[list[FilePair], list[Path]]:
    """Every image with the mask of its name, and the masks that belong to none.

    Args:
        pairs: the folders.
        wanted: whether a file is an image or a mask.
        image: what errors call an image.
        mask: what errors call a mask.

    Raises:
        DataError: no image, one without mask, or a name that does not say which belong together.
    """
    found: list[FilePair] = []
    spare: list[Path] = []
    for pair in pairs:
        masks = _by_stem(pair.masks, found_below(pair.masks, wanted), mask)
        images = found_below(pair.images, wanted)
        if not images:
            cure = f"Add them, or move '{pair.masks.name}' away."
            raise DataError(where=pair.images, what=f"holds no {image}", cure=cure)
        own = sorted(_matched(pair, images, masks, (image, mask)), key=lambda each: each.stem)
        _refuse_shared(own, (image, mask))
        used = {each.mask for each in own}
        spare += [path for path in masks.values() if path not in used]
        found += own
    return found, spare


def seen_pairs(pairs: Iterable[FolderPair], root: Path) -> tuple[str, ...]:
    """A sentence on folders that are taken for masks by what they show, if there are any."""
    for pair in pairs:
        if pair.seen:
            images, masks = (p.relative_to(root).as_posix() for p in (pair.images, pair.masks))
            return (f"'{masks}' is taken for the masks of '{images}', by what its files show.",)
    return ()


def spare_masks(spare: Sequence[Path], root: Path) -> tuple[str, ...]:
    """A sentence on masks without an image, if there are any."""
    if not spare:
        return ()
    example = min(spare).relative_to(root).as_posix()
    words = "mask|masks has|have no image and is|are left out"
    return (f"{counted(len(spare), words)}, for example {example}.",)


def refuse_mask_folders(root: Path, folders: Iterable[Path]) -> None:
    """Refuse folders of images and masks where classes are expected.

    Args:
        root: what holds them.
        folders: the folders.

    Raises:
        DataError: some are called as images are, and some that hold images as masks are.
    """
    held = {folder.name.lower(): folder for folder in folders}
    one, two = (next((held[n] for n in names if n in held), None) for names in (IMAGES, MASKS))
    # Of boxes or texts beside the images nothing is read.
    if one and two and images_below(two):
        how = "are called like images and their masks, and not like classes"
        raise DataError(
            where=root,
            what=f"holds '{one.name}' and '{two.name}', which {how}",
            cure="For segmentation put images into 'images' and masks of the same names into "
            "'masks', alone or in train, val and test; else rename the classes or move the masks.",
        )


def _pair(root: Path, masks: Sequence[str]) -> FolderPair | None:
    held = {path.name.lower(): path for path in subfolders(root)}
    one, two = (next((held[n] for n in names if n in held), None) for names in (IMAGES, masks))
    if one and two:
        return FolderPair(one, two)
    unnamed = masks_of_images([*held.values()], _names) if len(held) == 2 else None
    return FolderPair(*unnamed, seen=True) if unnamed else None


def _names(path: Path, folder: Path) -> list[str]:
    """What an image and its mask are both called, whatever each has more."""
    stem = _stem(path, folder)
    plain = stem.removesuffix(_CHANNEL)
    return [plain.removesuffix(end) for end in _MASK_ENDS]


def _with_test(root: Path, pair: FolderPair) -> list[FolderPair]:
    """Training and test of nnU-Net, where the test has masks."""
    held = {path.name.lower(): path for path in subfolders(root)}
    filled = all(name in held and any(files_below(held[name])) for name in _TEST)
    if pair.images.name.lower() != IMAGES[0] or not filled:
        return []
    images, masks = (held[name] for name in _TEST)
    return [FolderPair(pair.images, pair.masks, "train"), FolderPair(images, masks, "test")]


def _by_split(pair: FolderPair) -> list[FolderPair]:
    """The folders below two that are called alike and after splits, else the two."""
    images, masks = split_folders(pair.images), split_folders(pair.masks)
    beside = {path.name: path for path in masks}
    if not images or {path.name for path in images} != set(beside):
        return [pair]
    return [FolderPair(path, beside[path.name], split, pair.seen) for path, split in images.items()]


def _by_stem(folder: Path, paths: Sequence[Path], noun: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        first = found.setdefault(_stem(path, folder), path)
        if first != path:
            raise DataError(
                where=folder,
                what=f"holds more than one {noun} called '{_stem(path, folder)}', up to the "
                f"ending: {first.name} and {path.name}",
                cure=f"Keep the one that is the {noun}, and move the other away.",
            )
    return found


def _matched(
    pair: FolderPair, images: Sequence[Path], masks: Mapping[str, Path], nouns: tuple[str, str]
) -> Iterator[FilePair]:
    missing = []
    for path in images:
        stem = _stem(path, pair.images)
        sought = [f"{one}{end}" for one in _without_channel(stem) for end in _MASK_ENDS]
        held = next((name for name in sought if name in masks), None)
        if held is None:
            missing.append((path, sought))
            continue
        own = stem if held.startswith(stem) else stem.removesuffix(_CHANNEL)
        yield FilePair(own, path, masks[held], pair.split)
    if missing:
        _refuse_channels([path for path, _ in missing], pair)
        (path, sought), count = missing[0], len(missing)
        names = ", ".join(f"'{name}'" for name in sought)
        raise DataError(
            where=pair.masks,
            what=f"{count} of {len(images)} {nouns[0]}s have no {nouns[1]}, for example "
            f"{path.relative_to(pair.images).as_posix()} (sought with any ending: {names}"
            f"{_instead(masks, count == len(images))})",
            cure=f"Give {path.name} a {nouns[1]} of its name; or move it out of "
            f"'{pair.images.name}', if it is no {nouns[0]} to be learnt from.",
        )


def _refuse_channels(paths: Sequence[Path], pair: FolderPair) -> None:
    """Of an image in several files, one for each channel, one alone is read."""
    further = [path for path in paths if _FURTHER_CHANNEL.fullmatch(_stem(path, pair.images))]
    if further and len(further) == len(paths):
        raise DataError(
            where=pair.images,
            what=f"holds further channels of its images, for example {further[0].name}: an image "
            "has one",
            cure=f"Keep the files of one channel, called ..{_CHANNEL}, and move the others away.",
        )


def _instead(masks: Mapping[str, Path], none_matched: bool) -> str:
    """Where no name matches, how those are called that are there."""
    return f"; found: '{min(masks)}'" if none_matched and masks else ""


def _refuse_shared(found: Sequence[FilePair], nouns: tuple[str, str]) -> None:
    """An image may hide another of the same name and another ending."""
    owners: dict[Path, list[str]] = {}
    for each in found:
        owners.setdefault(each.mask, []).append(each.image.name)
    for path, names in owners.items():
        if len(names) > 1:
            raise DataError(
                where=path,
                what=f"this {nouns[1]} would belong to {len(names)} {nouns[0]}s: "
                f"{', '.join(sorted(names))}",
                cure="Keep one of them, or rename the other and give it its own.",
            )


def _without_channel(stem: str) -> tuple[str, ...]:
    plain = stem.removesuffix(_CHANNEL)
    return (stem,) if plain == stem else (stem, plain)


def _stem(path: Path, folder: Path) -> str:
    """Name below a folder without an ending; dots of other names, as of a UID, are none."""
    name = path.relative_to(folder).as_posix()
    if not is_image_name(path.name):
        return name
    plain = name[: -len(path.suffix)]
    return plain[:-4] if plain.lower().endswith(".nii") else plain
