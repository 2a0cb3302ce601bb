"""Facts of a file: the same content in another format, its gray scale, its borders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.check.facts import Facts
from medistill.check.measure import Stored, _kind, measured
from medistill.check.records import RECORD
from medistill.check.survey import survey
from medistill.core.types import Sample
from medistill.data.reading import Place
from medistill.data.rows import content_hash
from medistill.imaging.reader import read_image
from medistill.imaging.resize import to_stored
from tests.unit.data.pictures import smooth_picture
from tests.unit.imaging.dicom_files import save


def _facts(path: Path, **options: object) -> Facts:
    sample = Sample(path=path, name=path.name, label=0, group="a")
    return survey([sample], **options)[path.name]  # type: ignore[arg-type]


def test_content_is_that_of_the_pixels(tmp_path: Path) -> None:
    picture = smooth_picture(0)
    picture.save(tmp_path / "a.png")
    picture.convert("RGBA").save(tmp_path / "b.tif")
    smooth_picture(1).save(tmp_path / "c.png")
    one, two, other = (_facts(tmp_path / name) for name in ("a.png", "b.tif", "c.png"))
    assert one.content == two.content != other.content
    assert one.bits == two.bits
    assert (one.kind, two.kind) == ("PNG L", "TIFF RGBA")
    assert (one.width, one.height) == (128, 128)


def test_gray_scale_corners_and_edges_by_hand(tmp_path: Path) -> None:
    values = np.zeros((64, 64), dtype=np.uint8)
    values[:8, :8], values[-1] = 255, 51
    Image.fromarray(values).save(tmp_path / "a.png")
    facts = _facts(tmp_path / "a.png")
    assert facts.white == round(1 / 64, 4)
    assert facts.corners == pytest.approx((1, 0, 0.2 / 6, 0.2 / 6), abs=1e-3)
    assert facts.edges[:4] == pytest.approx((1 / 8, 0.2, 1 / 8 + 0.2 / 64, 0.2 / 64), abs=1e-3)
    assert (facts.low, facts.high) == (0, 1)


def test_unreadable_file_has_a_problem_alone(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("text")
    facts = _facts(tmp_path / "a.png")
    assert facts == Facts(problem=facts.problem)
    assert "is not a PNG" in facts.problem


@pytest.mark.parametrize(("said", "letters"), [("YES", 1), ("NO", 0), (None, 0)])
def test_a_header_may_say_that_text_is_burnt_in(
    tmp_path: Path, said: str | None, letters: int
) -> None:
    values = np.asarray(smooth_picture(0).convert("L"))
    elements = {"BurnedInAnnotation": said} if said else {}
    path = save(tmp_path / "a.dcm", values, **elements)
    assert _facts(path).letters == letters


def test_stored_hash_is_that_of_the_store(tmp_path: Path) -> None:
    smooth_picture(0).save(tmp_path / "a.png")
    stored = to_stored(read_image(tmp_path / "a.png"), stored_size=32, channels="gray")
    assert _facts(tmp_path / "a.png", stored=Stored(32, "gray")).stored == content_hash(stored)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("NIfTI 64x64x40, axial slice 12", "NIfTI"),
        ("DICOM US RGB 640x480, 8 bits, frame 3 of 12", "DICOM US RGB 8 bits"),
        ("PNG L 512x400", "PNG L"),
    ],
)
def test_kind_is_that_of_all_frames_and_slices(line: str, kind: str) -> None:
    assert _kind(line) == kind


def test_pictures_seen_together_have_the_facts_of_each_alone(tmp_path: Path) -> None:
    sizes = [64, 128, 64, 100, 128]
    places = []
    for number, size in enumerate(sizes):
        smooth_picture(number, size).save(tmp_path / f"{number}.png")
        places.append(Place(str(tmp_path / f"{number}.png"), None, "axial"))
    places.insert(2, Place(str(tmp_path / "gone.png"), None, "axial"))
    whole = measured(places)
    assert whole.rows["unreadable"].tolist() == [False, False, True, False, False, False]
    assert whole.texts == ["PNG L", "there is no such file"]
    for row, place in enumerate(places):
        alone = measured([place])
        assert alone.texts == [whole.texts[whole.rows["text"][row]]]
        for name in set(RECORD.names or ()) - {"text"}:
            np.testing.assert_array_equal(whole.rows[name][row], alone.rows[name][0], name)
