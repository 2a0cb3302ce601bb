"""Whom and what a DICOM file shows: for grouping alone, never for a model or a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom.multival import MultiValue
from pydicom.tag import Tag

from medistill.imaging.dicom import named_faults
from medistill.imaging.dicom_header import parse_dicom
from medistill.imaging.picture import refusal
from medistill.imaging.sniff import HEAD_BYTES, is_dicom

_KEYWORDS = {
    "patient": ("PatientID",),
    "issuer": ("IssuerOfPatientID",),
    "study": ("StudyInstanceUID",),
    "series": ("SeriesInstanceUID",),
    "laterality": ("ImageLaterality", "Laterality"),
    "view": ("ViewPosition",),
    "modality": ("Modality",),
    "body_part": ("BodyPartExamined",),
    "device": ("Manufacturer", "ManufacturerModelName"),
    "frames": ("NumberOfFrames",),
}
_TAGS = [Tag(word) for words in _KEYWORDS.values() for word in words]
_JOINED = ("device",)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Identifiers of one DICOM file; empty texts where it does not say.

    Attributes:
        patient: patient id.
        issuer: who gave that id, for example a hospital.
        study: study instance UID.
        series: series instance UID.
        laterality: L, R, U or B.
        view: view position, for example PA.
        modality: for example CT.
        body_part: for example CHEST.
        device: manufacturer and model.
        frames: number of frames.
    """

    patient: str = ""
    issuer: str = ""
    study: str = ""
    series: str = ""
    laterality: str = ""
    view: str = ""
    modality: str = ""
    body_part: str = ""
    device: str = ""
    frames: str = ""


def read_identity(path: Path) -> Identity | None:
    """Identifiers of a DICOM file, without reading its pixels; None for any other file.

    Raises:
        DataError: the file cannot be opened, or is damaged DICOM.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
            if not is_dicom(head):
                return None
            stream.seek(0)
            with named_faults(path):
                dataset = parse_dicom(stream, path, _TAGS)
                return Identity(**{k: _words(dataset, k, w) for k, w in _KEYWORDS.items()})
    except OSError as error:
        raise refusal(path, f"cannot be opened ({error.strerror})") from error


def _words(dataset: object, key: str, keywords: tuple[str, ...]) -> str:
    found = [_text(getattr(dataset, word, None)) for word in keywords]
    held = [text for text in found if text]
    return " ".join(held) if key in _JOINED else next(iter(held), "")


def _text(value: object) -> str:
    if isinstance(value, MultiValue):
        return " ".join(map(str, value)).strip()
    return "" if value is None else str(value).strip()
