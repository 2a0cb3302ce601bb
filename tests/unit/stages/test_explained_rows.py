from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from medistill.core.types import Sample
from medistill.stages.explained_rows import choose_rows, explained_class


def prepared(
    labels: Sequence[int] | np.ndarray,
    groups: Sequence[str] | None = None,
    masked: Sequence[int] = (),
    hashes: Sequence[str] | None = None,
) -> Any:
    """As many images, sorted by class as folders are."""
    several = np.ndim(labels) == 2
    samples = [
        Sample(
            path=Path(f"{row}.png"),
            name=f"{row}.png",
            label=tuple(label) if several else int(label),
            group=groups[row] if groups else f"g{row}",
            mask=Path("mask.png") if row in masked else None,
        )
        for row, label in enumerate(labels)
    ]
    return SimpleNamespace(
        images=SimpleNamespace(
            task="multi-label" if several else "single-label",
            samples=samples,
        ),
        labels=np.asarray(labels, float) if several else np.eye(3)[np.asarray(labels)],
        store=SimpleNamespace(hashes=hashes or [f"{row:04}" for row in range(len(samples))]),
    )


def test_classes_take_turns_however_the_files_are_sorted() -> None:
    data = prepared([0] * 100 + [1] * 60 + [2] * 3)
    chosen = choose_rows(data, range(163), 64)
    classes = [explained_class(data, row) for row in chosen]
    assert len(set(chosen)) == 64
    assert classes[:9] == [0, 1, 2] * 3
    assert [classes.count(k) for k in range(3)] == [31, 30, 3]
    assert choose_rows(data, range(163), 4) == chosen[:4]


def test_within_a_class_contents_decide() -> None:
    data = prepared([0, 0, 1, 1], hashes=["b", "a", "c", "d"])
    assert choose_rows(data, range(4), 2) == [1, 2]


def test_a_group_is_there_once_and_only_rows_of_the_part_are() -> None:
    data = prepared([0, 0, 1, 1, 1], groups=["p", "q", "p", "p", "r"])
    assert choose_rows(data, range(5), 9) == [0, 4, 1]
    assert choose_rows(data, [1, 4], 9) == [1, 4]


def test_where_there_are_masks_only_what_they_show_is_explained() -> None:
    data = prepared([0, 0, 1, 1, 2], masked=[0, 2, 4])
    assert choose_rows(data, range(5), 9) == [2, 4]
    # Without any such image all are explained.
    assert choose_rows(data, [0, 1], 9) == [0, 1]


def test_of_labels_the_rarest_of_an_image_takes_its_turn() -> None:
    nan = float("nan")
    data = prepared(np.array([[1, 0, 0], [1, 1, 0], [0, 0, nan], [1, 0, 1], [1, 0, nan]]))
    assert explained_class(data, 1) == 1
    assert choose_rows(data, range(5), 9) == [0, 1, 3, 4]
