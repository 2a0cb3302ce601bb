"""One picture, stored in every way that DICOM knows, is shown as the same gray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from medistill.core.errors import DataError
from medistill.imaging.dicom_gray import displayed, displayed_levels, has_few_values
from medistill.imaging.dicom_header import check_layout
from medistill.imaging.reader import read_image
from tests.unit.imaging.dicom_files import bytes_table, dataset_of, save, table

#: Hounsfield units from air to bone.
HU = np.linspace(-1000, 2000, 600).round().astype(np.int64).reshape(20, 30)


def _windowed(values: NDArray[Any], centre: float, width: float) -> NDArray[np.float64]:
    """PS3.3, C.11.2.1.2.1, written out once more."""
    shown = (values - (centre - 0.5)) / (width - 1) + 0.5
    shown = np.where(values <= centre - 0.5 - (width - 1) / 2, 0.0, shown)
    return np.where(values > centre - 0.5 + (width - 1) / 2, 1.0, shown)


#: Numbers of 32 bits that span fewer than 2^16 values and cross a multiple of 2^16.
WIDE = np.linspace(1000, 66100, 300 * 300).round().astype(np.uint32).reshape(300, 300)
CT = {"Modality": "CT", "WindowCenter": -600, "WindowWidth": 1500}
STORED: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
    "signed": (HU.astype(np.int16), {"RescaleSlope": 1, "RescaleIntercept": 0}),
    "unsigned with an intercept": (
        (HU + 1024).astype(np.uint16),
        {"RescaleSlope": 1, "RescaleIntercept": -1024},
    ),
    "12 bits in 16": (
        (HU + 1024).astype(np.uint16),
        {"RescaleSlope": 1, "RescaleIntercept": -1024, "bits": 12},
    ),
    "overlay in the unused bits": (
        ((HU + 1024) | 0x8000).astype(np.uint16),
        {"RescaleSlope": 1, "RescaleIntercept": -1024, "bits": 12},
    ),
    "signed 13 bits with rubbish above": (
        ((HU & 0x1FFF) | 0x4000).astype(np.int16),
        {"RescaleSlope": 1, "RescaleIntercept": 0, "bits": 13},
    ),
    "slope 2": (
        ((HU // 2) * 2).astype(np.int16) // 2,
        {"RescaleSlope": 2, "RescaleIntercept": 0},
    ),
    "modality table": (
        (HU + 1000).astype(np.uint16),
        {
            # A table's values are unsigned (C.11.1.1): the window moves along.
            "ModalityLUTSequence": [table(np.arange(3001, dtype=np.uint16), first=0, bits=16)],
            "WindowCenter": 400,
        },
    ),
    "modality table of 12-bit entries": (
        (HU + 1000).astype(np.uint16),
        {
            "ModalityLUTSequence": [table(np.arange(3001, dtype=np.uint16), first=0, bits=12)],
            "WindowCenter": 400,
        },
    ),
    "modality table as bytes": (
        (HU + 1000).astype(np.uint16),
        {
            "ModalityLUTSequence": [
                bytes_table(np.arange(3001, dtype="<u2").tobytes(), entries=3001, bits=16)
            ],
            "WindowCenter": 400,
        },
    ),
    "several windows": (
        HU.astype(np.int16),
        {
            "RescaleSlope": 1,
            "RescaleIntercept": 0,
            "WindowCenter": [-600, 40],
            "WindowWidth": [1500, 400],
        },
    ),
}


#: The same for pictures that are no CT of the scene above.
OTHERS: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
    "32 bits across 2^16": (WIDE, {"WindowCenter": 33000, "WindowWidth": 66000}),
    "signed 32 bits across 0": (
        WIDE.astype(np.int32) - 33000,
        {"WindowCenter": 0, "WindowWidth": 66000},
    ),
}


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("way", [*STORED, *OTHERS])
def test_table_of_values_gives_the_gray_of_every_pixel(way: str, photometric: str) -> None:
    stored, elements = {**STORED, **OTHERS}[way]
    assert way in STORED or has_few_values(stored)
    dataset = dataset_of(stored, **{**CT, **elements, "PhotometricInterpretation": photometric})
    for padding in (None, int(stored.ravel()[7]), int(stored.min()) + 3):
        if padding is not None:
            dataset.PixelPaddingValue = padding
        layout = check_layout(dataset, "a.dcm", None)
        expected, steps = displayed(stored, dataset, layout, None)
        levels, found = displayed_levels(stored, dataset, layout, None)
        np.testing.assert_array_equal(levels.pixels(), expected.astype(np.float32))
        assert found == steps


def test_few_values_are_those_of_a_table_no_larger_than_the_picture() -> None:
    assert has_few_values(np.arange(12, dtype=np.int16).reshape(3, 4) - 6)
    assert not has_few_values(np.array([[0, 2]], dtype=np.uint16))
    assert not has_few_values(np.zeros((2, 2), dtype=np.float32))
    assert not has_few_values(np.zeros((0, 2), dtype=np.uint8))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("way", STORED)
def test_one_ct_is_the_same_picture_whichever_way_it_is_stored(
    tmp_path: Path, way: str, photometric: str
) -> None:
    stored, elements = STORED[way]
    path = save(
        tmp_path / "a.dcm",
        stored,
        **{**CT, **elements, "PhotometricInterpretation": photometric},
    )
    shown = read_image(path).pixels
    hu = (HU // 2) * 2 if way == "slope 2" else HU
    expected = _windowed(hu, -600, 1500)
    expected = 1 - expected if photometric == "MONOCHROME1" else expected
    np.testing.assert_allclose(shown, expected, atol=1e-6)


def test_monochrome_1_of_complemented_values_is_the_same_radiograph(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (16, 16)).astype(np.uint16)
    one = save(tmp_path / "1.dcm", 4095 - values, bits=12, PhotometricInterpretation="MONOCHROME1")
    two = save(tmp_path / "2.dcm", values, bits=12)
    np.testing.assert_allclose(read_image(one).pixels, values / 4095, atol=1e-6)
    np.testing.assert_allclose(read_image(one).pixels, read_image(two).pixels, atol=1e-6)


def test_voi_table_goes_before_the_window(tmp_path: Path) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    curve = (np.arange(256, dtype=np.uint16) ** 2 // 16).astype(np.uint16)
    path = save(
        tmp_path / "a.dcm",
        values,
        VOILUTSequence=[table(curve, first=0, bits=12)],
        WindowCenter=10,
        WindowWidth=4,
    )
    picture = read_image(path)
    expected = np.clip(curve[values] / 4095, 0, 1)
    np.testing.assert_allclose(picture.pixels, expected, atol=1e-6)
    assert "VOI LUT" in picture.history


def test_window_by_name_replaces_that_of_ct_alone(tmp_path: Path) -> None:
    ct = save(tmp_path / "ct.dcm", HU.astype(np.int16), RescaleSlope=1, RescaleIntercept=0, **CT)
    shown = read_image(ct, window="mediastinum")
    np.testing.assert_allclose(shown.pixels, _windowed(HU, 40, 400), atol=1e-6)
    by_numbers = read_image(ct, window="40/400").pixels
    np.testing.assert_array_equal(shown.pixels, by_numbers)
    cr = save(tmp_path / "cr.dcm", np.arange(16, dtype=np.uint8).reshape(4, 4))
    np.testing.assert_array_equal(read_image(cr, window="lung").pixels, read_image(cr).pixels)


def test_window_is_refused_for_ct_without_hounsfield_units(tmp_path: Path) -> None:
    stored, table_of = STORED["modality table"]
    for name, elements in {"none": {}, "half": {"RescaleIntercept": -1024}}.items():
        path = save(tmp_path / f"{name}.dcm", stored, **CT, **elements)
        with pytest.raises(DataError, match=r"CT without a rescale to .* window 40/400 .* Export"):
            read_image(path, window="mediastinum")
        assert "window -600/1500" in read_image(path).history
    tabled = save(tmp_path / "lut.dcm", stored, **{**CT, **table_of})
    assert "window 40/400" in read_image(tabled, window="mediastinum").history
    colour = save(tmp_path / "rgb.dcm", np.zeros((4, 4, 3), dtype=np.uint8), Modality="CT")
    assert not read_image(colour, window="lung").pixels.any()


def test_ct_with_half_a_rescale_is_not_called_hounsfield_units(tmp_path: Path) -> None:
    values = np.array([[0, 4095]], dtype=np.uint16)
    path = save(tmp_path / "a.dcm", values, bits=12, Modality="CT", RescaleIntercept=-1024)
    np.testing.assert_allclose(read_image(path).pixels, [[0, 1]], atol=1e-7)


def test_ct_without_a_window_shows_12_bits_of_hounsfield_units(tmp_path: Path) -> None:
    signed = save(
        tmp_path / "a.dcm", HU.astype(np.int16), Modality="CT", RescaleSlope=1, RescaleIntercept=0
    )
    shown = read_image(signed)
    np.testing.assert_allclose(shown.pixels, (HU + 1024) / 4095, atol=1e-6)
    assert "no window declared: -1024 to 3071 HU" in shown.history


def test_declared_depth_is_white_and_not_what_the_image_holds(tmp_path: Path) -> None:
    values = np.array([[0, 819], [1638, 100]], dtype=np.uint16)
    path = save(tmp_path / "a.dcm", values, bits=12)
    np.testing.assert_allclose(read_image(path).pixels, values / 4095, atol=1e-7)
    signed = save(tmp_path / "b.dcm", np.array([[-128, 127]], dtype=np.int8))
    np.testing.assert_allclose(read_image(signed).pixels, [[0, 1]], atol=1e-7)


def test_sigmoid_window_by_hand(tmp_path: Path) -> None:
    values = np.array([[100, 150]], dtype=np.uint8)
    path = save(
        tmp_path / "a.dcm", values, WindowCenter=100, WindowWidth=200, VOILUTFunction="SIGMOID"
    )
    # 1 / (1 + exp(-4 (x - c) / w)): at the centre one half, 50 above it 1 / (1 + e^-1).
    np.testing.assert_allclose(read_image(path).pixels, [[0.5, 0.7310586]], atol=1e-5)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black(tmp_path: Path, photometric: str) -> None:
    values = np.array([[0, 5], [250, 255]], dtype=np.uint8)
    path = save(
        tmp_path / "a.dcm",
        values,
        PhotometricInterpretation=photometric,
        PixelPaddingValue=255,
        PixelPaddingRangeLimit=250,
    )
    assert not read_image(path).pixels[1].any()
    assert "padding black" in read_image(path).history


@pytest.mark.parametrize(
    ("dtype", "stored", "bits", "declared"),
    [
        ("u2", 63536, 16, ("SS", -2000)),
        ("i2", -2000, 16, ("US", 63536)),
        ("i2", -32768, 12, ("SS", -32768)),
    ],
)
def test_padding_is_told_by_its_bits(
    tmp_path: Path, dtype: str, stored: int, bits: int, declared: tuple[str, int]
) -> None:
    values = np.array([[stored, 100], [0, 50]], dtype=dtype)
    elements = dataset_of(values, bits=bits, WindowCenter=0, WindowWidth=400)
    elements.add_new("PixelPaddingValue", *declared)
    elements.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    # A value becomes (value + .5) / 399 + .5 in that window (PS3.3, C.11.2.1.2.1).
    gray = [[0, 100.5 / 399 + 0.5], [0.5 / 399 + 0.5, 50.5 / 399 + 0.5]]
    np.testing.assert_allclose(read_image(tmp_path / "a.dcm").pixels, gray, atol=1e-6)


@pytest.mark.parametrize("modality", ["CR", "CT"])
@pytest.mark.parametrize("window", [{}, {"WindowCenter": 5, "WindowWidth": 4}])
def test_slope_of_zero_is_refused(tmp_path: Path, modality: str, window: dict[str, int]) -> None:
    values = np.arange(4, dtype=np.uint8).reshape(2, 2)
    rescale = {"Modality": modality, "RescaleSlope": 0, "RescaleIntercept": 5}
    path = save(tmp_path / "a.dcm", values, **rescale, **window)
    with pytest.raises(DataError, match="a rescale slope of 0"):
        read_image(path)


def test_slope_that_vanishes_beside_its_intercept_is_refused(tmp_path: Path) -> None:
    values = np.arange(4, dtype=np.uint8).reshape(2, 2)
    path = save(tmp_path / "a.dcm", values, RescaleSlope="1e-30", RescaleIntercept=5)
    with pytest.raises(DataError, match="a rescale slope of nearly 0"):
        read_image(path)


def test_slices_of_a_series_share_a_table_and_keep_their_own_gray(tmp_path: Path) -> None:
    elements = {**CT, "RescaleSlope": 1, "RescaleIntercept": -1024, "PixelPaddingValue": 700}
    first, second = (HU + 1024).clip(0, 650), (HU + 1024).clip(100, 1000)
    for name, values in (("a", first), ("b", second), ("c", first)):
        path = save(tmp_path / f"{name}.dcm", values.astype(np.uint16), bits=12, **elements)
        shown = _windowed(values - 1024, -600, 1500)
        padded = values == 700
        picture = read_image(path)
        np.testing.assert_allclose(picture.pixels, np.where(padded, 0, shown), atol=1e-4)
        # The table of both holds the padding value: only one picture does.
        assert ("padding black" in picture.history) == bool(padded.any()) == (name == "b")


def test_same_values_of_other_files_have_other_gray(tmp_path: Path) -> None:
    values = (HU + 1024).astype(np.uint16)
    for number, centre in enumerate((-600, 40)):
        window = {"Modality": "CT", "WindowCenter": centre, "WindowWidth": 1500}
        scale = {"RescaleSlope": 1, "RescaleIntercept": -1024}
        path = save(tmp_path / f"{number}.dcm", values, bits=12, **window, **scale)
        expected = _windowed(HU, centre, 1500)
        np.testing.assert_allclose(read_image(path).pixels, expected, atol=1e-4)
