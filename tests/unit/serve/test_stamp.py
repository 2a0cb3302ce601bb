from __future__ import annotations

import os
from pathlib import Path

import pytest

from medistill.serve.stamp import stamp_of


def test_equal_only_for_the_same_unchanged_file(tmp_path: Path) -> None:
    file = tmp_path / "scan"
    file.write_bytes(b"one")
    os.utime(file, ns=(5, 7))
    noted = stamp_of(file)
    assert noted is not None
    assert (noted.given, noted.size, noted.mtime_ns) == (str(file), 3, 7)
    assert stamp_of(file) == noted
    os.utime(file, ns=(5, 8))
    assert stamp_of(file) != noted


def test_the_same_name_in_another_working_folder_is_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name in ("A", "B"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        Path("scan").write_bytes(b"one")
        os.utime("scan", ns=(5, 7))
        found.append(stamp_of(Path("scan")))
    assert found[0] != found[1]


def test_what_cannot_be_had_has_no_stamp(tmp_path: Path) -> None:
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    assert stamp_of(tmp_path / "none") is None
    assert stamp_of(circle) is None
