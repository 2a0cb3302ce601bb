"""What an enhanced DICOM file says of the gray of one frame. Torch-free.

Enhanced files keep rescale and window in functional groups, for all frames (shared) or for each
(DICOM PS3.3, C.7.6.16.2.9 and C.7.6.16.2.10), where plain files keep them at the top level.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydicom import Dataset

from medistill.imaging.dicom_header import Layout
from medistill.imaging.picture import refusal

#: Macros of functional groups, and the elements of the top level in whose place each stands.
_MACROS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "PixelValueTransformationSequence": (
            "ModalityLUTSequence",
            "RescaleSlope",
            "RescaleIntercept",
            "RescaleType",
        ),
        "FrameVOILUTSequence": (
            "VOILUTSequence",
            "WindowCenter",
            "WindowWidth",
            "VOILUTFunction",
        ),
    }
)


def lift_frame(dataset: Dataset, layout: Layout, where: object) -> None:
    """Put rescale and window of the chosen frame at the top level of ``dataset``, in place.

    What is said of the frame goes before what is shared, and both before the top level. A macro
    stands for all of its elements: a window of the frame is not mixed with a VOI LUT of the file.

    Args:
        dataset: the file's elements; nothing is parsed or changed where it has no such groups.
        layout: which frame of how many.
        where: how errors name the file.

    Raises:
        DataError: the groups by frame end before the chosen one.
    """
    groups = _groups(dataset, layout, where)
    for macro, keywords in _MACROS.items():
        items = [found[0] for group in groups if (found := group.get(macro)) and found[0]]
        for keyword in keywords if items else ():
            dataset.pop(keyword, None)
            if keyword in items[0]:
                dataset.add(items[0][keyword])


def _groups(dataset: Dataset, layout: Layout, where: object) -> list[Dataset]:
    """Those of the chosen frame, the nearer one first."""
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    if frames and layout.frame >= len(frames):
        raise refusal(where, f"describes {len(frames)} of its {layout.frames} frames")
    shared = dataset.get("SharedFunctionalGroupsSequence") or ()
    return [*frames[layout.frame : layout.frame + 1], *shared[:1]]
