from pathlib import Path

import pytest

from medistill.core.files import (
    atomic_file,
    read_json,
    remove_torn,
    replacing_folder,
    sha256_bytes,
    sha256_file,
    sha256_json,
    temporary_beside,
    write_json,
    write_long_json,
    write_text,
)

# SHA-256 of "abc": FIPS 180-4, example B.1.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_hashes_are_those_of_the_standard(tmp_path: Path) -> None:
    write_text(tmp_path / "abc", "abc")
    assert sha256_bytes(b"abc") == sha256_file(tmp_path / "abc") == ABC


def test_the_hash_of_json_ignores_the_order_of_keys() -> None:
    assert sha256_json({"a": 1, "b": [2, 3]}) == sha256_json({"b": [2, 3], "a": 1})
    assert sha256_json({"a": 1}) != sha256_json({"a": 2})


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")

    def interrupted() -> None:
        with atomic_file(path) as stream:
            stream.write(b"new")
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "whole.npy", "whole")
    temporary_beside(tmp_path / "whole.npy").write_text("torn")
    torn = temporary_beside(tmp_path / "drawn")
    (torn / "images").mkdir(parents=True)
    (torn / "images" / "a.png").write_text("torn")
    for kept in (".gitignore", ".lock", ".a.1.b", "b.1.2"):
        (tmp_path / kept).write_text("mine")
    remove_torn(tmp_path.rglob(".*"))
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".a.1.b", ".gitignore", ".lock", "b.1.2", "whole.npy"]


def test_json_without_a_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x", {"a": float("nan")})


def test_json_round_trip_keeps_text(tmp_path: Path) -> None:
    write_json(tmp_path / "x", {"name": "肺 CT"})
    assert read_json(tmp_path / "x") == {"name": "肺 CT"}


@pytest.mark.parametrize("rows", [[], [["肺", 1]], [["a", 1], ["b", 2], {"c": None}]])
def test_long_json_is_read_as_any_other(tmp_path: Path, rows: list[object]) -> None:
    write_long_json(tmp_path / "x", {"format": "1", "shape": [2, 3]}, rows=iter(rows))
    assert read_json(tmp_path / "x") == {"format": "1", "shape": [2, 3], "rows": rows}
    assert len((tmp_path / "x").read_text().splitlines()) == len(rows) + 2
    write_long_json(tmp_path / "x", {}, rows=rows)
    assert read_json(tmp_path / "x") == {"rows": rows}


def test_a_written_file_has_the_usual_permissions(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "a")
    (tmp_path / "b").write_text("b")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_only_a_durable_write_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []
    monkeypatch.setattr("medistill.core.files.os.fsync", waited.append)
    write_text(tmp_path / "a", "a", durable=False)
    assert (tmp_path / "a").read_text() == "a"
    assert waited == []
    write_text(tmp_path / "a", "b")
    assert len(waited) == 1


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for text in ("first", "second"):
        with replacing_folder(folder) as staging:
            assert not list(staging.iterdir())
            (staging / text).touch()
        assert [path.name for path in folder.iterdir()] == [text]

    def interrupted() -> None:
        with replacing_folder(folder) as staging:
            (staging / "third").touch()
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "second"]


def test_a_folder_that_a_kill_moved_aside_is_put_back(tmp_path: Path) -> None:
    (tmp_path / ".folder.old").mkdir()
    (tmp_path / ".folder.old" / "first").touch()
    (tmp_path / ".folder.partial").mkdir()
    with pytest.raises(KeyError), replacing_folder(tmp_path / "folder"):
        raise KeyError
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "first"]
