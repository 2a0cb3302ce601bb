from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from medistill.core.errors import MedistillError
from medistill.serve import audit
from medistill.serve.audit import AuditError, AuditLog


def write(log: AuditLog) -> None:
    log.write(request="r", route="predict", client="::1", status=200, labels=["ill"], seconds=0.1)


def test_one_whole_line_a_request(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for _ in range(2):  # a second start goes on with the same file
        log = AuditLog(path, identity="b", graph="fp32")
        write(log)
        log.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 2
    assert lines[0] | {"time": ""} == {
        "time": "",
        "request": "r",
        "route": "predict",
        "client": "::1",
        "status": 200,
        "files": [],
        "labels": ["ill"],
        "seconds": 0.1,
        "bundle": "b",
        "graph": "fp32",
    }
    assert path.stat().st_mode & 0o077 == 0


def test_without_a_path_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for name in ("open", "write"):
        monkeypatch.setattr(audit.os, name, lambda *_, name=name: asked.append(name))
    monkeypatch.chdir(tmp_path)
    log = AuditLog(None, identity="b", graph="g")
    write(log)
    log.close()
    monkeypatch.undo()
    assert asked == []
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_and_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, identity="b", graph="g")
    write(log)
    whole, real = path.read_bytes(), os.write
    monkeypatch.setattr(audit.os, "write", lambda stream, data: real(stream, data[:10]))
    with pytest.raises(AuditError, match="No space left"):
        write(log)
    assert path.read_bytes() == whole


def test_a_place_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(MedistillError, match="the audit log cannot be opened"):
        AuditLog(tmp_path / "no" / "audit.jsonl", identity="b", graph="g")
