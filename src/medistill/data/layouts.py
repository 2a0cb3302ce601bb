"""Which layout lies at a path, and how to read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from medistill.core.errors import DataError, UnknownNameError
from medistill.core.types import ImageSet, Plane
from medistill.data.chestxray14 import is_chestxray14, read_chestxray14
from medistill.data.covid_ct import is_covid_ct, read_covid_ct
from medistill.data.covid_radiography import is_covid_radiography, read_covid_radiography
from medistill.data.deit_covid import is_deit_covid, read_deit_covid
from medistill.data.dicom_tree import is_dicom_tree, read_dicom_tree
from medistill.data.folder import read_folder
from medistill.data.ictcf import is_ictcf, read_ictcf
from medistill.data.listing import refuse_unreadable_name, subfolders
from medistill.data.mask_folders import is_mask_folders, read_mask_folders
from medistill.data.medmnist import PREFIX, fetched, is_medmnist, read_medmnist
from medistill.data.nifti_pairs import is_nifti_pairs, read_nifti_pairs
from medistill.data.perceptual import Progress
from medistill.data.phantom import read_phantom
from medistill.data.sars_cov_2_ct import is_sars_cov_2_ct, read_sars_cov_2_ct
from medistill.data.table import read_table
from medistill.data.table_file import is_table
from medistill.data.table_images import lists_images
from medistill.data.unrecognised import refuse_evident


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a path is to be read.

    Attributes:
        cache: folder for what is worth keeping.
        workers: processes that read or draw; 0 works here.
        plane: along which plane volumes are cut.
        least_classes: how many classes a set must have whose labels exclude each other.
        progress: is told of files that are hashed or looked into: done, total.
    """

    cache: Path
    workers: int = 0
    plane: Plane = "axial"
    least_classes: int = 2
    progress: Progress | None = None


@dataclass(frozen=True)
class Layout:
    """One way in which images and labels lie on a disk.

    Attributes:
        looks: what it looks like, for people.
        recognises: whether a path has it.
        read: from a path, and how to read it, to the set.
    """

    looks: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, Manner], ImageSet]


def _hashing(read: Callable[..., ImageSet]) -> Callable[[Path, Manner], ImageSet]:
    """A reader that may have to group near-duplicates, with what it needs for that."""
    return lambda root, manner: read(
        root, cache=manner.cache, workers=manner.workers, progress=manner.progress
    )


def _looking(read: Callable[..., ImageSet]) -> Callable[[Path, Manner], ImageSet]:
    """A reader that looks into every file for patients, with what it needs for that."""
    return lambda path, manner: read(
        path,
        least_classes=manner.least_classes,
        workers=manner.workers,
        progress=manner.progress,
    )


#: Layouts on a disk by name; the first that recognises a path reads it.
LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "covid-ct": Layout(
            "CT_COVID, CT_NonCOVID and Data-split",
            is_covid_ct,
            _hashing(read_covid_ct),
        ),
        "sars-cov-2-ct": Layout(
            "COVID/Covid (N).png and non-COVID/Non-Covid (N).png",
            is_sars_cov_2_ct,
            _hashing(read_sars_cov_2_ct),
        ),
        "chestxray14": Layout(
            "Data_Entry_2017.csv and images",
            is_chestxray14,
            lambda root, _: read_chestxray14(root),
        ),
        "covid-radiography": Layout(
            "COVID, Normal, Lung_Opacity and Viral Pneumonia",
            is_covid_radiography,
            _hashing(read_covid_radiography),
        ),
        "deit-covid": Layout(
            "covid_labels.csv and images", is_deit_covid, lambda path, _: read_deit_covid(path)
        ),
        "ictcf": Layout(
            "NiCT, nCT and pCT",
            is_ictcf,
            _hashing(read_ictcf),
        ),
        "medmnist": Layout(
            "an npz file of MedMNIST",
            is_medmnist,
            lambda path, manner: read_medmnist(path, cache=manner.cache, workers=manner.workers),
        ),
        "nifti": Layout(
            "NIfTI volumes and label maps, as in imagesTr and labelsTr",
            is_nifti_pairs,
            lambda root, manner: read_nifti_pairs(root, plane=manner.plane, workers=manner.workers),
        ),
        "masks": Layout(
            "a folder of images and one of masks with the same names",
            is_mask_folders,
            lambda root, manner: read_mask_folders(root, workers=manner.workers),
        ),
        "dicom": Layout(
            "DICOM files at any depth beside one CSV file of labels",
            is_dicom_tree,
            _looking(read_dicom_tree),
        ),
        "table": Layout(
            "a CSV file with the columns path and label, or path and mask",
            is_table,
            lambda path, manner: _looking(partial(read_table, plane=manner.plane))(path, manner),
        ),
        "folder": Layout(
            "one subfolder of images for each class, or train, val and test folders of them",
            lambda root: root.is_dir() and bool(subfolders(root)),
            _looking(read_folder),
        ),
    }
)
PHANTOM = "phantom"
_PHANTOM_DEFAULTS: Mapping[str, str] = MappingProxyType(
    {"count": "400", "size": "128", "seed": "0", "start": "0", "task": "lesion"}
)


def read_data(
    spec: str | Path,
    layout: str | None = None,
    *,
    cache: Path,
    workers: int = 0,
    plane: Plane = "axial",
    least_classes: int = 2,
    progress: Progress | None = None,
) -> ImageSet:
    """Read a set of images, recognising its layout.

    Args:
        spec: a path; ``medmnist:FLAG[,size=64]`` (downloaded); or ``phantom``, or
            ``phantom:count=400,size=128,seed=0,start=0,task=lesion``
            with any of these values, for images that are drawn.
        layout: a key of ``LAYOUTS`` or ``phantom``, or None to recognise it.
        cache: folder for what is worth keeping: drawn phantoms, perceptual hashes.
        workers: processes that draw phantoms and read masks; 0 works here.
        plane: along which plane NIfTI volumes are cut; other images have none.
        least_classes: how many classes a folder or table must have whose labels exclude each
            other; one is enough where the classes are a model's.
        progress: called with (done, total) as images are hashed, where groups are near-duplicates,
            or as many files are looked into for patients.

    Raises:
        DataError: there is nothing, no layout is recognised, or the data are at fault.
        UnknownNameError: no layout has this name.
    """
    if layout == PHANTOM or (layout is None and str(spec).partition(":")[0] == PHANTOM):
        return _read_phantom(str(spec), cache, workers)
    fetch = str(spec).startswith(f"{PREFIX}:")
    path = fetched(str(spec), cache) if fetch else Path(spec)
    refuse_unreadable_name(path.resolve())
    name = layout or _recognised(path)
    if name not in LAYOUTS:
        known = (*LAYOUTS, PHANTOM)
        raise UnknownNameError(where="layout", kind="layout", name=name, known=known)
    manner = Manner(
        cache=cache,
        workers=workers,
        plane=plane,
        least_classes=least_classes,
        progress=progress,
    )
    return LAYOUTS[name].read(path, manner)


def refuse_unused_plane(images: ImageSet, plane: Plane) -> None:
    """Refuse a plane that was asked for where nothing is cut along it.

    Raises:
        DataError: the plane is not the default, and the set holds no volumes.
    """
    if plane != "axial" and all(sample.plane != plane for sample in images.samples):
        raise DataError(
            where=images.root,
            what="holds no NIfTI volumes beside label maps, and no slices of volumes in a table, "
            f"that could be cut along '{plane}'",
            cure="Leave the plane at axial.",
        )


def _recognised(path: Path) -> str:
    if not path.exists():
        raise DataError(
            where=path,
            what="there is no such file or folder",
            cure=f"Check the path, or use the embedded images: {PHANTOM}.",
        )
    for name, layout in LAYOUTS.items():
        if layout.recognises(path):
            if name == "folder":
                _refuse_listed(path)
            return name
    refuse_evident(path)
    known = "; ".join(f"{name}: {layout.looks}" for name, layout in LAYOUTS.items())
    raise DataError(
        where=path,
        what="has none of the known layouts",
        cure=f"Arrange it as one of these: {known}.",
    )


def _refuse_listed(root: Path) -> None:
    """Folders may be patients where a table lists their images: only its owner can say."""
    for table in sorted(path for path in root.iterdir() if is_table(path)):
        if lists_images(table):
            raise DataError(
                where=root,
                what=f"holds folders of images, and {table.name} that lists images",
                cure=f"Give the table ({table}), or, if its folders are classes, their layout: "
                "--layout folder with check and evaluate, data.layout=folder in a run.",
            )


def phantom_settings(spec: str) -> tuple[dict[str, int], str]:
    """What a phantom specification asks for: count, size, seed, start; and the task.

    Raises:
        DataError: not a phantom specification, or not a number.
        UnknownNameError: no such value; the nearest is suggested.
    """
    head, _, text = spec.partition(":")
    if head != PHANTOM:
        raise _bad_phantom(spec, f"does not begin with '{PHANTOM}'")
    values = dict(_PHANTOM_DEFAULTS)
    for item in filter(None, text.split(",")):
        key, _, value = (part.strip() for part in item.partition("="))
        if key not in values:
            raise UnknownNameError(where=spec, kind="value of a phantom", name=key, known=values)
        values[key] = value
    task = values.pop("task")
    wrong = [key for key, value in values.items() if not value.isdecimal()]
    if wrong:
        raise _bad_phantom(spec, f"'{wrong[0]}' is not a whole number")
    return {key: int(value) for key, value in values.items()}, task


def _read_phantom(spec: str, cache: Path, workers: int) -> ImageSet:
    numbers, task = phantom_settings(spec)
    return read_phantom(
        cache,
        count=numbers["count"],
        size=numbers["size"],
        seed=numbers["seed"],
        start=numbers["start"],
        task=task,
        workers=workers,
    )


def _bad_phantom(spec: str, what: str) -> DataError:
    return DataError(
        where=spec, what=what, cure=f"Write for example {PHANTOM}:count=400,size=128,seed=0."
    )
