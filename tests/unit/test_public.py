"""What ``import medistill`` offers, and what its document shows."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import medistill
from tests.docs.documents import FENCE, ROOT
from tests.unit.bundle.handmade import gray_bundle

BLOCKS = [
    body
    for language, body in FENCE.findall((ROOT / "docs" / "python.md").read_text(encoding="utf-8"))
    if language == "python"
]


@pytest.mark.parametrize("name", [name for name in medistill.__all__ if name != "__version__"])
def test_every_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(medistill, name)
    assert inspect.isfunction(found) or inspect.isclass(found)
    assert inspect.getdoc(found)


def test_a_package_of_the_same_name_takes_no_ones_place() -> None:
    packages = {path.parent.name for path in (ROOT / "src/medistill").glob("*/__init__.py")}
    assert not packages & set(medistill.__all__)


def test_public_names_are_listed_before_they_are_imported() -> None:
    assert {"run", "evaluate_on", "Predictor"} <= set(dir(medistill))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        medistill.nosuch  # noqa: B018


def calls(code: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("medistill."):
            yield node


@pytest.mark.parametrize("code", BLOCKS)
def test_documented_calls_fit_their_functions(code: str) -> None:
    found = list(calls(code))
    assert found
    for call in found:
        function = getattr(medistill, ast.unparse(call.func).removeprefix("medistill."))
        named = {str(each.arg): None for each in call.keywords}
        inspect.signature(function).bind(*call.args, **named)


def test_the_documented_prediction_runs_without_torch(tmp_path: Path) -> None:
    gray_bundle(tmp_path / "bundle")
    (tmp_path / "scans").mkdir()
    Image.fromarray(np.full((8, 8), 255, dtype=np.uint8)).save(tmp_path / "scans" / "a.png")
    code = f"{BLOCKS[1]}\nimport sys\nassert 'torch' not in sys.modules"
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    # Logits of 4 and -4 at white: 1 / (1 + exp(-8)) = 0.99966.
    assert done.stdout.startswith(f"{Path('scans') / 'a.png'} ill (0.99966")
