from __future__ import annotations

import pytest

from medistill.bundle.acquisition import Acquisition

CHEST_CT = Acquisition(modalities=("CT",), body_parts=("CHEST", "LUNG"))


def test_what_is_foreign_is_said_in_words() -> None:
    assert CHEST_CT.foreign(modality="MR", body_part="KNEE") == (
        "Its modality is MR; the student was trained on CT.",
        "Its body part is KNEE; the student was trained on CHEST, LUNG.",
    )


@pytest.mark.parametrize(
    ("modality", "body_part"), [("CT", "LUNG"), ("ct ", "Chest"), ("", ""), ("CT", "")]
)
def test_what_is_known_or_unsaid_is_not_foreign(modality: str, body_part: str) -> None:
    assert CHEST_CT.foreign(modality=modality, body_part=body_part) == ()


def test_a_student_of_unknown_pictures_finds_nothing_foreign() -> None:
    assert Acquisition().foreign(modality="MR", body_part="KNEE") == ()
