"""When the data stage is made again."""

from __future__ import annotations

from pathlib import Path

from medistill.stages.data import fingerprint


def test_a_run_beside_a_table_is_no_change_of_the_data(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("path,label\n", encoding="utf-8")
    before = fingerprint(str(table))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.yaml").write_text("name: demo\n", encoding="utf-8")
    (tmp_path / "run" / "data.bin").write_bytes(b"1")
    assert fingerprint(str(table)) == before
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"1")
    assert fingerprint(str(table)) != before
