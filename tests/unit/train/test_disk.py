"""Refusals of the disk become one sentence; other errors stay what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from medistill.core.errors import RunFolderError
from medistill.train.disk import told_if_refused


def _bury_a_full_disk() -> None:
    try:
        raise OSError(28, "whatever")
    finally:
        raise RuntimeError("unexpected pos 64 vs 0")  # noqa: B012


def test_full_disk_under_another_error_is_named() -> None:
    pattern = r"^run/last\.pt: cannot be written: No space left on device\. Free space"
    with pytest.raises(RunFolderError, match=pattern), told_if_refused(Path("run/last.pt")):
        _bury_a_full_disk()


def test_other_errors_stay() -> None:
    with pytest.raises(RuntimeError, match="a bug"), told_if_refused(Path("x")):
        raise RuntimeError("a bug")
