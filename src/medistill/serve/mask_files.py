"""Writes the masks of predictions: PNG, NIfTI or DICOM SEG, one file a picture. Torch-free."""

from __future__ import annotations

import dataclasses
import io
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from PIL import Image

from medistill.bundle.bundle import Bundle
from medistill.core.errors import DataError, MedistillError, MissingExtraError
from medistill.core.files import write_bytes
from medistill.imaging.volume import LabelMap, write_label_map
from medistill.serve.inputs import Input
from medistill.serve.mask_dicom import Origin, affine_of, check_seg, read_header, write_seg
from medistill.serve.masks import Mask
from medistill.serve.output import named_refusals
from medistill.serve.prediction import Prediction

MaskForm = Literal["png", "nifti", "seg"]
_OPTION = "--masks"
_ENDINGS = {"png": ".png", "nifti": ".nii.gz", "seg": ".dcm"}


class MaskFolder:
    """Writes masks below a folder and tells each prediction the name of its file.

    A file is called by its picture's ``stem``. Slices of a volume share one NIfTI file in the
    volume's own axes, affine and codes.

    Args:
        folder: where they go; made if absent.
        form: what to write.
        bundle: whose masks they are.

    Raises:
        MedistillError: no folder can be there, the bundle gives no masks, or an extra is missing.
    """

    def __init__(self, folder: Path, form: MaskForm, bundle: Bundle) -> None:
        manifest = bundle.manifest
        if manifest.task != "segmentation":
            cure = "Leave --masks out."
            raise MedistillError(where="--masks", what="this bundle classifies", cure=cure)
        if form == "nifti" and find_spec("nibabel") is None:
            raise MissingExtraError(command="medistill predict --mask-form nifti", extra="nifti")
        if form == "seg":
            check_seg()
        self._folder, self._form = folder, form
        with named_refusals(folder, _OPTION):
            folder.mkdir(parents=True, exist_ok=True)
        self._origin = Origin(
            classes=manifest.classes, name=manifest.name, identity=bundle.identity
        )
        self._map: tuple[Input, LabelMap] | None = None
        self._held: list[Prediction] = []

    @property
    def place(self) -> str:
        """Folder and form; where they differ, other files are wanted."""
        return f"{self._form} in {self._folder.resolve()}"

    def take(self, found: Prediction) -> list[Prediction]:
        """Write what can be written; returns the predictions that are finished by that.

        A slice is finished with its volume, so that a stopped run repeats the whole of it.

        Raises:
            MedistillError: the disk is full or the folder is gone.
        """
        source = found.source
        if self._form == "nifti" and source is not None and source.frame is not None:
            return self._collect(found, source)
        return [*self.finish(), self._written(found, source)]

    def finish(self) -> list[Prediction]:
        """What is still held: slices whose volume never became whole; their map is written too."""
        held, self._held = self._held, []
        if self._map is None:
            return held
        (first, labels), self._map = self._map, None
        name = self._name(Input(first.path))
        with named_refusals(self._folder, _OPTION):
            labels.save(self._folder / name)
        return [_told(each, name) for each in held]

    def _collect(self, found: Prediction, source: Input) -> list[Prediction]:
        done = []
        if self._held and self._held[0].source and self._held[0].source.path != source.path:
            done = self.finish()
        self._held.append(found)
        if found.mask is not None:
            if self._map is None:
                self._map = source, LabelMap(source.path)
            self._map[1].put(found.mask, source.frame or 0, source.plane)
        return [*done, *(self.finish() if len(self._held) == source.frames else ())]

    def _written(self, found: Prediction, source: Input | None) -> Prediction:
        if found.mask is None or source is None:
            return found
        name = self._name(source)
        try:
            with named_refusals(self._folder, _OPTION):
                self._write(self._folder / name, found.mask, source)
        except DataError as error:
            return Prediction(path=found.path, problem=f"{error.what}. {error.cure}", source=source)
        return _told(found, name)

    def _write(self, path: Path, mask: Mask, source: Input) -> None:
        if self._form == "seg":
            write_seg(path, mask, source.path, self._origin)
        elif self._form == "nifti":
            header = read_header(source.path)
            affine = None if header is None else affine_of(header)
            write_label_map(path, mask.T[:, :, None], affine)
        else:
            stream = io.BytesIO()
            Image.fromarray(mask).save(stream, "PNG")
            write_bytes(path, stream.getvalue())

    def _name(self, about: Input) -> str:
        return f"{about.stem}{_ENDINGS[self._form]}"


def _told(found: Prediction, name: str) -> Prediction:
    """With the name of the file instead of the mask itself."""
    wrote = found.mask is not None
    return dataclasses.replace(found, mask=None, mask_file=name if wrote else None)
