from __future__ import annotations

import pytest

from medistill.teacher.cache_layout import Layout, in_words


def layout() -> Layout:
    shapes = {"logits": (3,), "stage": (4, 2, 2)}
    return Layout(images=5, views=(1, 2), shapes=shapes, stored="float16", shard_rows=4)


def test_shards_cut_the_rows_and_the_last_is_shorter() -> None:
    assert [layout().span(shard) for shard in range(layout().shards)] == [
        range(0, 4),
        range(4, 8),
        range(8, 10),
    ]


def test_targets_lie_beside_each_other_in_a_row() -> None:
    assert layout().columns() == {"logits": slice(0, 3), "stage": slice(3, 19)}
    assert (layout().width, layout().row_bytes, layout().bytes) == (19, 38, 380)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_500, "1.5 kB"),
        (16_000_000_000, "16.0 GB"),
        (4_000_000_000_000_000, "4000.0 TB"),
    ],
)
def test_sizes_are_told_in_decimal_units(size: int, words: str) -> None:
    assert in_words(size) == words
