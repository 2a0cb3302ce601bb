from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from medistill.core.errors import BundleError, MedistillError, MissingExtraError
from medistill.serve import serve_command as command
from medistill.serve.serve_command import read_key, serve_command
from tests.unit.serve.serving import SRC, explaining_bundle, running

BLOCKED = ("torch", "scipy", "sklearn", "matplotlib", "pandas", "timm", "onnx", "jinja2")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "_NEEDED", ("no_such_library",))
    with pytest.raises(MissingExtraError, match=r"pip install 'medistill\[serve\]'"):
        serve_command(tmp_path)


def test_no_bundle_and_a_wrong_bound_are_refused_before_listening(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no such bundle"):
        serve_command(tmp_path / "none")
    with pytest.raises(MedistillError, match="--queue: 0 is impossible"):
        serve_command(tmp_path / "none", queue=0)


def test_key_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDISTILL_API_KEY", raising=False)
    assert read_key(None) is None
    monkeypatch.setenv("MEDISTILL_API_KEY", "from-the-environment")
    assert read_key(None) == "from-the-environment"
    path = tmp_path / "key"
    path.write_text("a-very-secret-key\n")
    assert read_key(path) == "a-very-secret-key"


def test_a_key_that_is_none_is_refused_without_showing_it(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for text in ("", "hunter2", "ünlikely-but-long-enough"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(MedistillError, match="16 or more printable ASCII") as error:
            read_key(path)
        assert not text or text not in str(error.value)
    with pytest.raises(MedistillError, match="the API key cannot be read"):
        read_key(tmp_path / "none")


def test_the_service_starts_without_torch(tmp_path: Path) -> None:
    code = (
        f"import sys\nfor name in {BLOCKED!r}: sys.modules[name] = None\n"
        "import medistill.serve.app, medistill.serve.server"
    )
    environment = {"PYTHONPATH": str(SRC)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_second_server_on_the_port_says_one_sentence(tmp_path: Path) -> None:
    bundle = explaining_bundle(tmp_path / "b")
    with running(bundle) as (address, _):
        done = subprocess.run(
            [sys.executable, "-m", "medistill", "serve", bundle, "--port", address.split(":")[-1]],
            env={"PYTHONPATH": str(SRC)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "another program listens there" in done.stderr
    assert "Traceback" not in done.stderr
