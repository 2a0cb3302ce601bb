"""What lies at a path is recognised, or the error says what could."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError, UnknownNameError
from medistill.data import dicom_groups
from medistill.data.layouts import LAYOUTS, read_data, refuse_unused_plane
from tests.unit.data.pictures import save_noise
from tests.unit.imaging.dicom_files import save


def _save_all(root: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        save_noise(root / name, seed)
    return root


def _covid_ct(root: Path) -> Path:
    (root / "Data-split").mkdir()
    return _save_all(root, "CT_COVID/a-p1-2.png", "CT_NonCOVID/1.png")


def _sars(root: Path) -> Path:
    return _save_all(root, "COVID/Covid (1).png", "non-COVID/Non-Covid (1).png")


def _table(root: Path) -> Path:
    (root / "list.csv").write_text("path,label\n1.png,a\n2.png,b\n")
    return root / "list.csv"


def _folder(root: Path) -> Path:
    return _save_all(root, "COVID/1.png", "normal/2.png")


def _chestxray14(root: Path) -> Path:
    (root / "Data_Entry_2017.csv").write_text(
        "Image Index,Finding Labels,Patient ID\n1.png,Mass,1\n"
    )
    return _save_all(root, "images/1.png")


def _covid_radiography(root: Path) -> Path:
    return _save_all(root, "COVID/1.png", "Normal/2.png", "Viral Pneumonia/3.png")


def _deit_covid(root: Path) -> Path:
    lines = ["Image Index,Normal,Pneumonia,COVID,fold", "1.png,1,0,0,train"]
    (root / "covid_labels.csv").write_text("\n".join(lines))
    return _save_all(root, "1.png")


def _ictcf(root: Path) -> Path:
    return _save_all(root, "NiCT/1.png", "nCT/2.png", "pCT/3.png")


def _medmnist(root: Path) -> Path:
    held = {
        "train_images": np.zeros((2, 4, 4), dtype=np.uint8),
        "train_labels": np.array([[0], [1]]),
    }
    np.savez(root / "a.npz", **held)
    return root / "a.npz"


def _nifti(root: Path) -> Path:
    for folder in ("imagesTr", "labelsTr"):
        (root / folder).mkdir()
        volume = nibabel.Nifti1Image(np.ones((2, 2, 2), dtype=np.uint8), np.eye(4))
        nibabel.save(volume, root / folder / "a.nii.gz")  # type: ignore[no-untyped-call]
    return root


def _masks(root: Path) -> Path:
    _save_all(root, "images/1.png")
    (root / "masks").mkdir()
    Image.new("1", (24, 16), 1).save(root / "masks" / "1.png")
    return root


def _dicom(root: Path) -> Path:
    save(root / "a" / "IM1", np.zeros((4, 4), dtype=np.uint8), PatientID="p1")
    save(root / "b" / "IM2", np.ones((4, 4), dtype=np.uint8), PatientID="p2")
    (root / "labels.csv").write_text("patient,label\np1,x\np2,y\n")
    return root


MADE = {
    "covid-ct": _covid_ct,
    "sars-cov-2-ct": _sars,
    "chestxray14": _chestxray14,
    "covid-radiography": _covid_radiography,
    "deit-covid": _deit_covid,
    "ictcf": _ictcf,
    "medmnist": _medmnist,
    "nifti": _nifti,
    "masks": _masks,
    "dicom": _dicom,
    "table": _table,
    "folder": _folder,
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_recognised(tmp_path: Path, name: str) -> None:
    path = MADE[name](tmp_path)
    assert read_data(path, cache=tmp_path / "cache").name == name
    assert read_data(str(path), layout=name, cache=tmp_path / "cache").name == name


def test_layout_can_be_forced(tmp_path: Path) -> None:
    images = read_data(_sars(tmp_path), layout="folder", cache=tmp_path / "cache")
    assert (images.name, images.classes) == ("folder", ("COVID", "non-COVID"))


def test_unknown_layout_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'folder'"):
        read_data(tmp_path, layout="folders", cache=tmp_path)


def test_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent: there is no such .* images: phantom"):
        read_data(tmp_path / "absent", cache=tmp_path)


def test_unrecognised_path_lists_the_layouts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of the known layouts") as caught:
        read_data(save_noise(tmp_path / "a.png", 0), cache=tmp_path)
    assert all(f"{name}: " in caught.value.cure for name in LAYOUTS)


def test_one_class_is_enough_where_it_is_asked(tmp_path: Path) -> None:
    root = _save_all(tmp_path / "set", "covid/1.png", "covid/2.png")
    (tmp_path / "list.csv").write_text("path,label\nset/covid/1.png,covid\n")
    for place in (root, tmp_path / "list.csv"):
        with pytest.raises(DataError, match="only the class 'covid'"):
            read_data(place, cache=tmp_path / "cache")
        images = read_data(place, cache=tmp_path / "cache", least_classes=1)
        assert images.classes == ("covid",)
        assert {sample.label for sample in images.samples} == {0}
    with pytest.raises(DataError, match="holds no class"):
        read_data(
            _save_all(tmp_path / "none", "unlabelled/1.png"),
            cache=tmp_path / "cache",
            least_classes=1,
        )


def test_phantoms_are_drawn_into_the_cache(tmp_path: Path) -> None:
    images = read_data("phantom:count=3, size=48,seed=5", cache=tmp_path / "cache")
    assert (images.name, len(images.samples)) == ("phantom", 3)
    assert all((tmp_path / "cache") in sample.path.parents for sample in images.samples)


def test_phantoms_go_on_where_asked(tmp_path: Path) -> None:
    read = [read_data(f"phantom:count=2,size=48,start={n}", cache=tmp_path) for n in (0, 1)]
    first, second = (images.samples for images in read)
    assert first[1].path.read_bytes() == second[0].path.read_bytes()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("phantom:cuont=3", "Did you mean 'count'"),
        ("phantom:count=many", "'count' is not a whole number"),
        ("phantom:count", "'count' is not a whole number"),
        ("images", "does not begin with 'phantom'"),
    ],
)
def test_bad_phantom_is_refused(tmp_path: Path, spec: str, message: str) -> None:
    with pytest.raises((DataError, UnknownNameError), match=message):
        read_data(spec, layout="phantom", cache=tmp_path)


def test_folders_beside_a_table_of_images_are_not_taken_for_classes(tmp_path: Path) -> None:
    for name in ("patient1", "patient2"):
        (tmp_path / name).mkdir()
        save_noise(tmp_path / name / "1.png", 0)
    (tmp_path / "train.csv").write_text("path,label\npatient1/1.png,a\npatient2/1.png,b\n")
    with pytest.raises(
        DataError,
        match=r"train.csv that lists images.*--layout folder with check.*data\.layout=folder in",
    ):
        read_data(tmp_path, cache=tmp_path / "cache")
    assert read_data(tmp_path, "folder", cache=tmp_path / "cache").name == "folder"


def test_a_plane_is_refused_where_nothing_is_cut(tmp_path: Path) -> None:
    images = read_data(_sars(tmp_path), cache=tmp_path / "cache", plane="coronal")
    refuse_unused_plane(images, "axial")
    with pytest.raises(DataError, match="could be cut along 'coronal'. Leave the plane at axial"):
        refuse_unused_plane(images, "coronal")


@pytest.mark.parametrize(
    ("layout", "folders"),
    [
        ("sars_cov_2_ct", ["COVID/Covid (1)", "non-COVID/Non-Covid (1)"]),
        ("covid_radiography", ["Normal/a", "COVID/b", "Viral Pneumonia/c"]),
        ("ictcf", ["NiCT/a", "nCT/b", "pCT/c"]),
    ],
)
def test_copies_are_grouped_by_as_many_processes_as_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, folders: list[str]
) -> None:
    for number, name in enumerate(folders):
        save_noise(tmp_path / "set" / f"{name}.png", number)
    asked: list[int] = []

    def groups(paths: dict[str, Path], *, workers: int, **_: object) -> dict[str, str]:
        asked.append(workers)
        return {name: name for name in paths}

    monkeypatch.setattr(f"medistill.data.{layout}.near_duplicate_groups", groups)
    found = read_data(tmp_path / "set", cache=tmp_path / "cache", workers=3)
    assert found.name == layout.replace("_", "-")
    assert asked == [3]


@pytest.mark.parametrize(
    ("make", "hashed"), [(_covid_ct, 1), (_sars, 2), (_covid_radiography, 3), (_ictcf, 3)]
)
def test_whoever_waits_for_hashes_is_told(
    tmp_path: Path, make: Callable[[Path], Path], hashed: int
) -> None:
    told: list[tuple[int, int]] = []
    (tmp_path / "set").mkdir()
    read_data(
        make(tmp_path / "set"),
        cache=tmp_path / "cache",
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (hashed, hashed)


@pytest.mark.parametrize("layout", ["folder", "dicom", "table"])
def test_files_that_are_looked_into_for_patients_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    monkeypatch.setattr(dicom_groups, "_FEW", 0)
    for number, name in enumerate(("ill/a.dcm", "well/b.dcm")):
        save(tmp_path / name, np.full((4, 4), number, np.uint8), PatientID=name)
    if layout != "folder":
        (tmp_path / "list.csv").write_text("path,label\nill/a.dcm,ill\nwell/b.dcm,well\n")
    told: list[tuple[int, int]] = []
    images = read_data(
        tmp_path / "list.csv" if layout == "table" else tmp_path,
        cache=tmp_path / "cache",
        progress=lambda done, total: told.append((done, total)),
    )
    assert (images.name, images.group_word) == (layout, "patient")
    assert told == [(2, 2)]
