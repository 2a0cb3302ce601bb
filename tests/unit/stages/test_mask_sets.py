"""Masks of several classes from a disk, as pictures and as label maps: from files to report."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import nibabel
import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError
from medistill.core.files import read_json
from medistill.data.phantom import read_phantom
from medistill.stages.check import PROPOSAL, check
from medistill.stages.data import open_data
from medistill.stages.external import evaluate
from medistill.stages.run import run
from tests.unit.stages.test_tasks import PYRAMID, SCHEMA, TINY

SMALL = (
    *TINY,
    f"teacher.model={PYRAMID}",
    f"student={PYRAMID}",
    "teacher.fit={epochs: 1, batch_size: 16, lr: 1.0e-3, select_by: dice}",
)
CLASSES = ["background", "class-1", "class-2", "class-3"]


def pictures_and_masks(folder: Path, count: int) -> Path:
    """Phantoms as a user has them: two folders, masks of 0 to 3, and one file that is no image."""
    root = read_phantom(folder, count=count, size=32, task="segmentation").root
    (root / "labels.csv").unlink()
    (root / "images" / "broken.png").write_text("no image")
    Image.new("L", (32, 32)).save(root / "masks" / "broken.png")
    return root


def volumes_and_label_maps(folder: Path, count: int, *, seed: int = 0) -> Path:
    """Volumes of 8 coronal slices, each a phantom, on a grid that is stored mirrored."""
    phantoms = read_phantom(folder, count=8 * count, size=32, seed=seed, task="segmentation")
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    for number in range(count):
        chosen = phantoms.samples[8 * number : 8 * number + 8]
        for name, files in (
            ("imagesTr", [sample.path for sample in chosen]),
            ("labelsTr", [sample.mask for sample in chosen]),
        ):
            (folder / "set" / name).mkdir(parents=True, exist_ok=True)
            values = np.stack([_gray(file) for file in files if file], axis=1)
            volume = nibabel.Nifti1Image(values, affine)  # type: ignore[no-untyped-call]
            nibabel.save(volume, folder / "set" / name / f"scan{number}.nii.gz")  # type: ignore[no-untyped-call]
    return folder / "set"


def _gray(file: Path) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture.convert("L"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = pictures_and_masks(tmp_path_factory.mktemp("pictures"), 90)
    out = tmp_path_factory.mktemp("runs") / "pictures"
    return run(
        "rskd-cnn-small", data=data, out=out, overrides=(*SMALL, "data.skip_unreadable=true")
    )


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = volumes_and_label_maps(tmp_path_factory.mktemp("volumes"), 12)
    out = tmp_path_factory.mktemp("runs") / "volumes"
    return run("rskd-cnn-small", data=data, out=out, overrides=(*SMALL, "data.plane=coronal"))


@pytest.mark.parametrize("kind", ["pictures", pytest.param("volumes", marks=pytest.mark.slow)])
def test_every_class_is_trained_and_judged(kind: str, request: pytest.FixtureRequest) -> None:
    finished: Path = request.getfixturevalue(kind)
    metrics = read_json(finished / "evaluation/metrics.json")
    jsonschema.validate(metrics, read_json(SCHEMA))
    assert metrics["classes"] == CLASSES
    for role in ("teacher", "student", "control"):
        by_class = metrics["models"][role]["per_class"]
        assert list(by_class) == CLASSES[1:]
        assert all(0 <= each["class_dice"]["estimate"] <= 1 for each in by_class.values())
    assert read_json(finished / "bundle/bundle.json")["classes"] == CLASSES


def test_the_data_flow_counts_masks_and_what_could_not_be_read(pictures: Path) -> None:
    flow = read_json(pictures / "evaluation/metrics.json")["flow"]
    assert (flow["listed"], flow["stored"], flow["labelled"]) == (91, 90, 90)
    assert [each["name"] for each in flow["unreadable"]] == ["images/broken.png"]
    prepared = open_data(pictures / "data")
    for name, rows in prepared.parts[0].named().items():
        shown = [_gray(mask) for row in rows if (mask := prepared.images.samples[row].mask)]
        expected = [sum(bool((mask == value).any()) for mask in shown) for value in range(4)]
        assert flow["parts"][name]["classes"] == dict(zip(CLASSES, expected, strict=True))
    assert sum(part["classes"]["class-1"] for part in flow["parts"].values()) > 10
    page = (pictures / "evaluation/report.html").read_text()
    assert "1 of 91 listed images could not be read and were left out." in page
    assert "images/broken.png" in page
    assert '<a href="#left-out">Images left out</a>' in page


@pytest.mark.slow
def test_every_slice_of_a_volume_leaves_its_mask(volumes: Path) -> None:
    metrics = read_json(volumes / "evaluation/metrics.json")
    written = sorted(path.name for path in (volumes / "evaluation/masks").rglob("*.png"))
    assert len(written) == metrics["counts"]["images"] == 8 * metrics["counts"]["groups"]
    assert written[0].endswith("-coronal00000.png")


@pytest.mark.slow
def test_volumes_and_their_label_maps_are_cut_alike(volumes: Path) -> None:
    prepared = open_data(volumes / "data")
    assert prepared.masks is not None
    (drawn,) = prepared.images.root.parent.glob("phantom-*")
    for row in (0, 5, 11):
        sample = prepared.images.samples[row]
        assert sample.frame is not None
        # The grid counts coronal slices from the front, medistill from the back.
        number = 8 * int(sample.group.removeprefix("scan")) + 7 - sample.frame
        picture, mask = (
            np.rot90(_gray(drawn / kind / f"phantom-{number:06}.png"))
            for kind in ("images", "masks")
        )
        for channel in np.moveaxis(prepared.store[row], -1, 0):
            np.testing.assert_array_equal(channel, picture * np.uint16(257))
        np.testing.assert_array_equal(prepared.masks[row], mask)


@pytest.mark.slow
def test_another_set_of_volumes_is_cut_as_the_run_was(volumes: Path, tmp_path: Path) -> None:
    data = volumes_and_label_maps(tmp_path, 3, seed=4)
    evaluate(volumes, data=data, out=tmp_path / "out")
    rows = (tmp_path / "out/student.csv").read_text().splitlines()[1:]
    assert len(rows) == 24
    assert all("#coronal" in row for row in rows)
    with pytest.raises(DataError, match="no NIfTI volumes"):
        evaluate(
            volumes,
            data="phantom:count=2,size=32,task=segmentation",
            out=tmp_path / "none",
            plane="coronal",
        )


def test_a_check_cuts_along_the_plane_that_is_named(tmp_path: Path) -> None:
    data = volumes_and_label_maps(tmp_path, 1)
    check(data, out=tmp_path / "axial")
    check(data, out=tmp_path / "coronal", plane="coronal")
    counts = [read_json(tmp_path / name / "check.json")["images"] for name in ("axial", "coronal")]
    assert counts == [32, 8]
    with pytest.raises(DataError, match="no NIfTI volumes"):
        check("phantom:count=2,size=32", out=tmp_path / "none", plane="sagittal")


def _leaking_table(folder: Path, count: int) -> Path:
    """Two phantoms a patient in one part, but for one patient, and one copy in the other part."""
    phantoms = read_phantom(folder / "drawn", count=count, size=64, task="segmentation")
    rows = []
    for number, sample in enumerate(phantoms.samples):
        split = "test" if number // 2 % 4 == 0 else "train"
        rows.append(
            f"{sample.path},{sample.mask},p{number // 2},{'test' if number == 3 else split}"
        )
    copied = phantoms.samples[0]
    Image.fromarray(_gray(copied.path)).save(folder / "copy.jpg", quality=90)
    rows.append(f"copy.jpg,{copied.mask},another,train")
    path = folder / "set.csv"
    path.write_text("\n".join(["path,mask,patient,split", *rows]))
    return path


def test_parts_are_proposed_for_masks_and_can_be_trained_on(tmp_path: Path) -> None:
    leaks = {"shared-groups", "near-copies-across-parts"}
    found = check(_leaking_table(tmp_path / "set", 72), out=tmp_path / "out")
    assert leaks <= {finding.check for finding in found}
    proposal = tmp_path / "out" / PROPOSAL
    mended = check(proposal, out=tmp_path / "mended")
    assert not leaks & {finding.check for finding in mended}
    assert [finding for finding in mended if finding.severity == "fatal"] == []
    finished = run("rskd-cnn-small", data=proposal, out=tmp_path / "run", overrides=SMALL)
    prepared = open_data(finished / "data")
    assert (prepared.images.name, list(prepared.images.classes)) == ("table", CLASSES)
    groups = {sample.path.name: sample.group for sample in prepared.images.samples}
    assert groups["copy.jpg"] == groups["phantom-000000.png"] == groups["phantom-000001.png"]
    assert read_json(finished / "evaluation/metrics.json")["counts"]["images"] > 0
