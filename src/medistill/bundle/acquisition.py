"""What kind of picture a student was trained on, and whether another one is foreign to it.

Torch-free.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Acquisition:
    """Kinds of pictures, in DICOM's own words; empty where nothing is known.

    Attributes:
        modalities: for example ``CT`` (DICOM PS3.3, C.7.3.1.1.1).
        body_parts: for example ``CHEST`` (PS3.16, annex L).
    """

    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()

    def foreign(self, *, modality: str, body_part: str) -> tuple[str, ...]:
        """Why a picture is of another kind, one sentence each; none where either side is silent.

        Args:
            modality: of the picture, as its header says; empty where it does not.
            body_part: likewise.
        """
        pairs = (
            ("modality", modality, self.modalities),
            ("body part", body_part, self.body_parts),
        )
        return tuple(
            f"Its {word} is {said}; the student was trained on {', '.join(known)}."
            for word, said, known in pairs
            if said and known and not {_plain(said)} & set(map(_plain, known))
        )


def _plain(code: str) -> str:
    return code.strip().upper()
