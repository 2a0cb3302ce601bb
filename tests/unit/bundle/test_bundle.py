from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from medistill.bundle.bundle import open_bundle
from medistill.core.errors import BundleError, UnknownNameError
from tests.unit.bundle.handmade import document, gray_bundle, linear_graph, write_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return gray_bundle(tmp_path / "by-hand")


def zipped(folder: Path, *, inside: str = "", kind: int = zipfile.ZIP_STORED) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", kind) as archive:
        for file in folder.iterdir():
            archive.write(file, inside + file.name)
    return path


def test_a_folder_opens(folder: Path) -> None:
    bundle = open_bundle(folder)
    assert bundle.manifest.classes == ("ill", "well")
    assert bundle.graph().files == ("student.onnx",)
    assert bundle.read("student.onnx") == (folder / "student.onnx").read_bytes()
    assert bundle.identity == json.loads((folder / "bundle.json").read_text())["identity"]


@pytest.mark.parametrize("inside", ["", "by-hand/"])
def test_a_zip_opens_as_the_same_bundle(folder: Path, inside: str) -> None:
    bundle = open_bundle(zipped(folder, inside=inside))
    assert bundle.identity == open_bundle(folder).identity
    assert bundle.read("student.onnx") == (folder / "student.onnx").read_bytes()


@pytest.mark.parametrize("as_zip", [False, True])
@pytest.mark.parametrize("same_length", [False, True])
def test_a_changed_file_is_named(folder: Path, as_zip: bool, same_length: bool) -> None:
    content = (folder / "student.onnx").read_bytes()
    changed = bytes([content[0] ^ 1]) + content[1:] if same_length else content + b"x"
    (folder / "student.onnx").write_bytes(changed)
    with pytest.raises(BundleError, match=r"'student.onnx' has been changed since the export"):
        open_bundle(zipped(folder) if as_zip else folder)


def test_a_file_swapped_for_a_huge_one_is_never_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (folder / "student.onnx").open("wb") as stream:
        stream.truncate(2**40)
    whole = Path.read_bytes

    def small(path: Path) -> bytes:
        assert path.stat().st_size < 2**20
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", small)
    with pytest.raises(BundleError, match=r"'student.onnx' has been changed"):
        open_bundle(folder)


def test_a_file_changed_after_opening_is_not_read(folder: Path) -> None:
    bundle = open_bundle(folder)
    (folder / "student.onnx").write_bytes(bytes(bundle.manifest.files["student.onnx"].size))
    with pytest.raises(BundleError, match="has been changed"):
        bundle.read("student.onnx")


@pytest.mark.parametrize("as_zip", [False, True])
def test_a_missing_file_is_named(folder: Path, as_zip: bool) -> None:
    (folder / "student.onnx").unlink()
    with pytest.raises(BundleError, match=r"the file 'student.onnx' is missing"):
        open_bundle(zipped(folder) if as_zip else folder)


def test_a_changed_manifest_is_found(folder: Path) -> None:
    path = folder / "bundle.json"
    path.write_text(path.read_text().replace('"temperature": 1.0', '"temperature": 9.0'))
    with pytest.raises(BundleError, match=r"'bundle.json' has been changed since the export"):
        open_bundle(folder)


def test_a_newer_schema_is_refused_with_the_way_out(tmp_path: Path) -> None:
    graph = linear_graph([[1.0], [0.0]], [0.0, 0.0])
    newer = write_bundle(tmp_path / "newer", graph, document(graph, schema=5, shape="unknown"))
    with pytest.raises(BundleError) as caught:
        open_bundle(newer)
    assert "schema version 5; this medistill reads up to version 4" in str(caught.value)
    assert "Update medistill" in caught.value.cure


@pytest.mark.parametrize("version", [None, "1", True, 0])
def test_a_senseless_version_is_refused(tmp_path: Path, version: object) -> None:
    folder = gray_bundle(tmp_path / "odd", schema=version)
    with pytest.raises(BundleError, match="not valid: schema is"):
        open_bundle(folder)


def test_an_invalid_manifest_says_which_key(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not valid: default names no graph"):
        open_bundle(gray_bundle(tmp_path / "odd", default="none"))


def test_preprocessing_that_cannot_be_is_an_invalid_manifest(tmp_path: Path) -> None:
    seen = {**document(b"")["preprocessing"], "size": 0}
    with pytest.raises(BundleError, match=r"not valid: preprocessing.size"):
        open_bundle(gray_bundle(tmp_path / "odd", preprocessing=seen))


def test_what_is_no_bundle_is_said_so(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(BundleError, match="there is no such bundle"):
        open_bundle(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match=r"is not a bundle: it holds no bundle.json"):
        open_bundle(tmp_path / "empty")
    text = tmp_path / "notes.txt"
    text.write_text("not a zip")
    with pytest.raises(BundleError, match="is not a bundle: it is neither a folder nor a zip"):
        open_bundle(text)
    (folder / "bundle.json").unlink()
    with pytest.raises(BundleError, match=r"is not a bundle: it holds no bundle.json"):
        open_bundle(zipped(folder))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is damaged"),
        (b"\xff\xfe\xfd", "is damaged"),
        (b"[" * 100_000, "is damaged"),
        (b"[]", "was not written by medistill"),
        (b'{"format": "other"}', "was not written by medistill"),
    ],
)
def test_a_manifest_that_is_no_manifest(folder: Path, content: bytes, message: str) -> None:
    (folder / "bundle.json").write_bytes(content)
    with pytest.raises(BundleError, match=message):
        open_bundle(folder)


def test_a_compressed_zip_is_refused_before_it_is_unpacked(folder: Path) -> None:
    path = zipped(folder, kind=zipfile.ZIP_DEFLATED)
    with pytest.raises(BundleError, match=r"'bundle.json' is compressed. Unpack it and give the"):
        open_bundle(path)


def test_an_entry_that_claims_more_than_the_zip_holds_is_refused(folder: Path) -> None:
    path = zipped(folder)
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    while content[at + 46 : at + 57] != b"bundle.json":
        at = content.rindex(b"PK\x01\x02", 0, at)
    content[at + 24 : at + 28] = (2**23).to_bytes(4, "little")  # its size when unpacked
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"'bundle.json' claims to be larger than the zip"):
        open_bundle(path)


def test_a_record_beyond_two_gibibytes_is_refused_unread(tmp_path: Path) -> None:
    record = {"sha256": "0" * 64, "size": 2**31 + 1}
    with pytest.raises(BundleError, match="2,147,483,649 bytes, more than 2 GiB"):
        open_bundle(gray_bundle(tmp_path / "odd", files={"student.onnx": record}))


def test_a_truncated_zip_is_refused(folder: Path) -> None:
    path = zipped(folder)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BundleError):
        open_bundle(path)


def test_a_zip_with_a_damaged_entry_is_refused(folder: Path) -> None:
    path = zipped(folder)
    content = bytearray(path.read_bytes())
    at = content.index(b"student.onnx") + len("student.onnx") + 10
    content[at : at + 20] = bytes(20)
    path.write_bytes(content)
    with pytest.raises(BundleError):
        open_bundle(path)


def test_files_that_are_not_listed_do_not_disturb(folder: Path) -> None:
    (folder / ".DS_Store").write_bytes(b"x")
    assert open_bundle(folder).manifest.name == "by-hand"


def test_a_copied_bundle_is_the_same_bundle(folder: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(folder, tmp_path / "ein anderer Ort 复制")
    assert open_bundle(copied).identity == open_bundle(folder).identity


def test_an_unknown_graph_is_told_the_known_ones(folder: Path) -> None:
    with pytest.raises(UnknownNameError, match="no graph is called 'fp23'. Did you mean 'fp32'"):
        open_bundle(folder).graph("fp23")
