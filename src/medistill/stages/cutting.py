"""The parts that a recipe asks of a set, and what they leave unused of its published split."""

from __future__ import annotations

from medistill.core.types import ImageSet, PartName, Parts
from medistill.data.parts import check_folds, fold_parts, holdout_parts
from medistill.data.strata import labelled_rows
from medistill.recipe import DataBlock


def cut_parts(images: ImageSet, block: DataBlock) -> dict[int, Parts]:
    """The four parts of each fold, by its number.

    Raises:
        DataError: too few groups for the folds or parts, one class only, or a class absent from a
            part.
    """
    shares = block.shares
    fractions: dict[PartName, float] = {
        "select": shares.select,
        "calibrate": shares.calibrate,
        "evaluate": shares.evaluate,
    }
    if block.folds == 1:
        return {0: holdout_parts(images, seed=block.seed, fractions=fractions)}
    return {
        fold: fold_parts(images, folds=block.folds, fold=fold, seed=block.seed, fractions=fractions)
        for fold in range(block.folds)
    }


def refuse_uncuttable(images: ImageSet, block: DataBlock) -> None:
    """Refuse before hours of decoding what has no parts.

    Decoding may join copies into groups, and leave out what cannot be read: then small sets may be
    cut where they cannot be now, but never into more folds than they have groups.

    Raises:
        DataError: as :func:`cut_parts`.
    """
    may_change = block.skip_unreadable or any(sample.guessed for sample in images.samples)
    if not may_change:
        cut_parts(images, block)
    elif block.folds > 1:
        check_folds(images, labelled_rows(images), block.folds)


def unused_split(images: ImageSet, folds: int) -> tuple[str, ...]:
    """A caveat if the set was published in parts and is cut into folds regardless of them."""
    have = {sample.split for sample in images.samples}
    if folds == 1 or not have & {"val", "test"}:
        return ()
    names = "/".join(name for name in ("train", "val", "test") if name in have)
    return (
        f"The published split of this set ({names}) is not used: {folds} grouped folds over all "
        "images; data.folds=1 keeps it.",
    )
