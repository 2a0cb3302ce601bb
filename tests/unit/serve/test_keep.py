from __future__ import annotations

from pathlib import Path

import pytest

from medistill.core.errors import MedistillError
from medistill.serve.keep import Keeper
from medistill.serve.uploads import Upload


def test_nothing_is_kept_unless_asked(tmp_path: Path) -> None:
    Keeper(None).keep([Upload("a", b"x")])
    assert not list(tmp_path.iterdir())


def test_a_file_is_kept_once_under_its_hash_and_never_under_its_name(tmp_path: Path) -> None:
    Keeper(tmp_path).keep([Upload("../doe^jane.dcm", b"x"), Upload("b", b"x")])
    (kept,) = tmp_path.iterdir()
    # SHA-256 of "x", from sha256sum
    assert kept.name == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert kept.read_bytes() == b"x"


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MedistillError, match="there is no such folder"):
        Keeper(tmp_path / "none")
