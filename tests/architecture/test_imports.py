"""Imports point one way, and starting up loads and changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.architecture.source_tree import PACKAGE, ROOT

HEAVY = (
    "torch",
    "torchvision",
    "timm",
    "sklearn",
    "scipy",
    "matplotlib",
    "onnx",
    "lightning_fabric",
)

WATCH = """
import random, sys, warnings
filters, draws = list(warnings.filters), random.getstate()
{act}
heavy = sorted(set({heavy!r}) & set(sys.modules))
assert not heavy, f"loaded {{heavy}}"
assert warnings.filters == filters, "the warning filters changed"
assert random.getstate() == draws, "the random number generator was used"
"""

RUN_COMMAND = """
from medistill.cli import main
sys.argv = ["medistill", *{arguments!r}]
try:
    main()
except SystemExit as stop:
    assert not stop.code, f"exit code {{stop.code}}"
"""


def run_watched(act: str) -> str:
    """Run Python in a new process that fails if ``act`` loads or changes what it must not."""
    code = WATCH.format(act=act, heavy=HEAVY)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of the package below ``folder``/src."""
    code = "from importlinter.cli import lint_imports_command as check; check()"
    command = [sys.executable, "-c", code, "--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=environment
    )


def test_import_contracts_are_kept() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_every_contract_notices_a_violation(tmp_path: Path) -> None:
    planted = {
        "losses/planted.py": "import medistill.data",
        "serve/planted.py": "def later():\n    import torch",
        "data/planted.py": "import torch",
        "train/planted.py": "import medistill.evaluate",
        "helpers.py": "",
    }
    shutil.copytree(PACKAGE, tmp_path / "src" / "medistill")
    for name, text in planted.items():
        (tmp_path / "src" / "medistill" / name).write_text(text, encoding="utf-8")
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert " 0 kept" in done.stdout
    for words in ("medistill.helpers", "medistill.train.planted -> medistill.evaluate"):
        assert words in done.stdout


def test_importing_the_package_loads_and_changes_nothing() -> None:
    run_watched("import medistill")


def test_the_watch_itself_notices_a_change() -> None:
    with pytest.raises(AssertionError, match="warning filters changed"):
        run_watched("warnings.simplefilter('ignore')")
    with pytest.raises(AssertionError, match="random number generator"):
        run_watched("random.random()")


@pytest.mark.skipif(find_spec("medistill.cli") is None, reason="no command line yet")
@pytest.mark.parametrize(
    "arguments", [["--help"], ["predict", "--help"], ["recipes"], ["recipes", "kdvit-small"]]
)
def test_a_command_without_models_starts_without_torch(arguments: list[str]) -> None:
    assert run_watched(RUN_COMMAND.format(arguments=arguments))
