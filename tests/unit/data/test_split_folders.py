"""Which folders mean a published split."""

from __future__ import annotations

from pathlib import Path

import pytest

from medistill.data.split_folders import split_folders


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Training", "valid", "TEST"], ["test", "train", "val"]),
        (["train"], ["train"]),
        (["test", "control"], []),
        (["train", "test", "notes"], []),
        (["test", "validation"], []),
    ],
)
def test_splits_need_a_train_and_nothing_beside(
    tmp_path: Path, names: list[str], expected: list[str]
) -> None:
    for name in names:
        (tmp_path / name).mkdir()
    found = split_folders(tmp_path)
    assert sorted(found.values()) == expected
    assert {path.name for path in found} == (set(names) if expected else set())
