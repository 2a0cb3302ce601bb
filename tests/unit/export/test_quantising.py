from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from medistill.core.errors import ExportError
from medistill.export import quantising
from medistill.export.quantising import quantise_apart
from tests.unit.export.conftest import pictures, tiny_network

SRC = Path(__file__).parents[3] / "src"


@pytest.fixture(autouse=True)
def _sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SRC))


def quantise(graph: Path, folder: Path) -> Path:
    result = folder / "q.xml"
    images = pictures(tiny_network(), 4)
    quantise_apart(graph, result, task="single-label", ranges=images, control=images, agreement=0.5)
    return result


@pytest.mark.skipif(find_spec("nncf") is None, reason="NNCF is not installed")
def test_what_breaks_there_refuses_a_variant_here(tmp_path: Path) -> None:
    (tmp_path / "g.onnx").write_bytes(b"half a file")
    with pytest.raises(ExportError, match=r"NNCF failed with code [1-9]"):
        quantise(tmp_path / "g.onnx", tmp_path)
    assert not (tmp_path / "q.xml").exists()


def test_a_process_that_is_killed_or_never_ends(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An interpreter that aborts, as NNCF has done, in place of the real one.
    abort = tmp_path / "abort"
    abort.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'import os; os.abort()'\n")
    abort.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(abort))
    with pytest.raises(ExportError, match=r"code -6 \(it ended without a word\)"):
        quantise(graph, tmp_path)
    abort.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(quantising, "_SECONDS", 0.5)
    with pytest.raises(ExportError, match="took longer"):
        quantise(graph, tmp_path)
