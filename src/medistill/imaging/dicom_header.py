"""What a DICOM file says of its pixels, checked before they are decoded. Torch-free."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from pydicom import Dataset, dcmread
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from medistill.imaging.picture import check_size, frame_cure, refusal

#: Elements of the identity, of the gray scale and of the pixels; nothing else is parsed.
_GRAY_TAGS = [
    "ModalityLUTSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "VOILUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]
_PIXEL_TAGS = [
    "SOPClassUID",
    "Modality",
    "BodyPartExamined",
    "BurnedInAnnotation",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "PixelData",
]
_PALETTE_TAGS = [
    f"{prefix}{colour}PaletteColorLookupTable{part}"
    for colour in ("Red", "Green", "Blue")
    for prefix, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
]
#: As numbers: pydicom looks up every keyword again in each file.
TAGS: list[BaseTag] = [Tag(word) for word in (*_PIXEL_TAGS, *_GRAY_TAGS, *_PALETTE_TAGS)]
_GRAY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_DEPTHS = (1, 8, 16, 32)
#: Modalities whose values are no picture.
_NO_PICTURES = {"RTDOSE": "a radiotherapy dose"}
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_MAX_INFLATED = 512 * 2**20
_PIECE = 2**20


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the pixels of a DICOM file lie, as far as its header can be believed.

    Attributes:
        width: pixels of a row.
        height: rows.
        samples: 1 (gray, palette) or 3 (colour).
        photometric: photometric interpretation.
        bits_allocated: bits that a value takes: 1, 8, 16 or 32.
        bits_stored: bits of them that are used.
        signed: whether values are two's complement.
        frames: frames of the file.
        frame: which one to read, from 0.
        modality: for example CT; empty where it is not said.
    """

    width: int
    height: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    signed: bool
    frames: int
    frame: int
    modality: str

    @property
    def size(self) -> str:
        """Width and height as words."""
        return f"{self.width}x{self.height}"

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame when it is not compressed, rounded up."""
        return -(-self._frame_bits // 8)

    @property
    def whole_bytes(self) -> int:
        """Bytes of all frames: where a value is one bit, frames share bytes (PS3.5, 8.2)."""
        return -(-self._frame_bits * self.frames // 8)

    @property
    def _frame_bits(self) -> int:
        return self.width * self.height * self.samples * self.bits_allocated

    def words(self, dataset: Dataset) -> str:
        """First line of a picture's history."""
        which = f", frame {self.frame} of {self.frames}" if self.frames > 1 else ""
        kind = " ".join(filter(None, (self.modality, self.photometric)))
        syntax = dataset.file_meta.TransferSyntaxUID
        packed = f", {syntax.name}" if syntax.is_compressed else ""
        return f"DICOM {kind} {self.size}, {self.bits_stored} bits{which}{packed}"


def parse_dicom(stream: BinaryIO, where: object, tags: Sequence[BaseTag] | None = None) -> Dataset:
    """Parse the elements that a picture needs, and no others.

    Args:
        stream: the file, positioned at its start.
        where: how errors name it.
        tags: what to parse; None for what a picture needs.

    Raises:
        DataError: a deflated file that inflates beyond 512 MB.
        Exception: whatever pydicom raises over a malformed file.
    """
    _check_inflated(stream, where)
    dataset = dcmread(stream, force=True, specific_tags=[*(TAGS if tags is None else tags)])
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = "1.2.840.10008.1.2.1" if little else "1.2.840.10008.1.2.2"
        syntax = "1.2.840.10008.1.2" if implicit else explicit
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
    return dataset


def check_layout(dataset: Dataset, where: object, frame: int | None) -> Layout:
    """How the pixels lie, or a refusal that names the reason.

    Raises:
        DataError: no picture, impossible or unsupported values, several frames and none chosen.
    """
    _check_picture(dataset, where)
    frames = max(1, _number(dataset, "NumberOfFrames", where, 1))
    layout = Layout(
        width=_number(dataset, "Columns", where),
        height=_number(dataset, "Rows", where),
        samples=_number(dataset, "SamplesPerPixel", where, 1),
        photometric=str(dataset.get("PhotometricInterpretation", "")),
        bits_allocated=_number(dataset, "BitsAllocated", where),
        bits_stored=_number(dataset, "BitsStored", where),
        signed=_number(dataset, "PixelRepresentation", where, 0) == 1,
        frames=frames,
        frame=_chosen(frames, frame, where),
        modality=str(dataset.get("Modality") or ""),
    )
    check_size(where, width=layout.width, height=layout.height)
    _check_values(layout, _number(dataset, "HighBit", where, layout.bits_stored - 1), where)
    return layout


def _check_picture(dataset: Dataset, where: object) -> None:
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        raise refusal(where, "holds floating-point pixels, which have no declared white")
    if not dataset.get("PixelData"):
        if dataset.get("Rows"):
            raise refusal(where, "is cut off before its pixels, or is a header alone")
        kind = dataset.get("SOPClassUID")
        words = f" (it is {UID(str(kind)).name})" if kind else ""
        raise refusal(where, f"is DICOM without a picture{words}")
    modality = str(dataset.get("Modality") or "")
    if modality in _NO_PICTURES:
        raise refusal(where, f"is {_NO_PICTURES[modality]}, not a picture")


def _check_values(layout: Layout, high_bit: int, where: object) -> None:
    kinds = {1: _GRAY, 3: _COLOUR}.get(layout.samples, ())
    if layout.photometric not in kinds:
        named = layout.photometric or "no photometric interpretation"
        raise refusal(where, f"has {layout.samples} samples a pixel of {named}, which is not read")
    if layout.bits_allocated not in _DEPTHS:
        raise refusal(where, f"has {layout.bits_allocated} bits a value; 1, 8, 16 and 32 are read")
    if not 1 <= layout.bits_stored <= layout.bits_allocated:
        raise refusal(
            where, f"stores {layout.bits_stored} of {layout.bits_allocated} bits, which cannot be"
        )
    if high_bit != layout.bits_stored - 1:
        raise refusal(
            where, f"has its highest bit at {high_bit} with {layout.bits_stored} bits stored"
        )


def _chosen(frames: int, frame: int | None, where: object) -> int:
    if frame is None and frames > 1:
        cure = f"{frame_cure(frames)}, or export single frames."
        raise refusal(where, f"holds {frames} frames, one is expected", cure)
    if frame is not None and not 0 <= frame < frames:
        raise refusal(where, f"has no frame {frame}: it holds {frames}")
    return frame or 0


def _number(dataset: Dataset, keyword: str, where: object, default: int | None = None) -> int:
    """An element as a whole number; pydicom gives texts, lists and None where a file is bad."""
    value = dataset.get(keyword)
    if value is None or value == "":
        if default is None:
            raise refusal(where, f"does not say its {keyword}")
        return default
    try:
        return int(value)
    except (TypeError, ValueError):
        shown = str(value)[:20]
        raise refusal(where, f"has the impossible {keyword} '{shown}'") from None


def _check_inflated(stream: BinaryIO, where: object) -> None:
    """Inflate a deflated file piece by piece and refuse a bomb; its pieces are forgotten."""
    start = stream.tell()
    head = stream.read(2048)
    if _DEFLATED in head and head[132:138] == b"\x02\x00\x00\x00UL":
        stream.seek(start + 144 + int.from_bytes(head[140:144], "little"))
        if _inflates_beyond(stream, _MAX_INFLATED):
            raise refusal(where, f"inflates beyond {_MAX_INFLATED // 2**20} MB")
    elif _DEFLATED in head:
        raise refusal(where, "is deflated and does not say where its header ends")
    stream.seek(start)


def _inflates_beyond(stream: BinaryIO, limit: int) -> bool:
    inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while piece := inflater.unconsumed_tail or stream.read(_PIECE):
        total += len(inflater.decompress(piece, _PIECE))
        if total > limit:
            return True
    return False
