"""Masks of two and of several classes, in pictures and label maps; anything between is refused."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError
from medistill.imaging.masks import (
    UNKNOWN,
    Held,
    is_binary,
    listed,
    mask_values,
    read_mask,
    shows_labels,
)

SHAPE = np.zeros((16, 16), dtype=np.uint8)
SHAPE[4:12, 4:10] = 1


def save(path: Path, values: np.ndarray, mode: str | None = None) -> Path:
    picture = Image.fromarray(values)
    (picture.convert(mode) if mode else picture).save(path)
    return path


def test_a_jpeg_is_cut_at_half_of_white(tmp_path: Path) -> None:
    path = save(tmp_path / "m.jpg", SHAPE * 255)
    with Image.open(path) as image:
        assert len(np.unique(np.asarray(image))) > 2, "JPEG left nothing to cut"
    np.testing.assert_array_equal(read_mask(path), SHAPE)
    assert mask_values(path) == Held((0, 1), lossy=True)


@pytest.mark.parametrize("mode", [None, "RGB", "RGBA", "LA", "1"])
def test_black_and_white_is_two_classes_in_whatever_mode(tmp_path: Path, mode: str | None) -> None:
    path = save(tmp_path / "m.png", SHAPE * 255, mode)
    np.testing.assert_array_equal(read_mask(path), SHAPE)


@pytest.mark.parametrize("foreground", [1, 255, 65535])
def test_foreground_is_one_or_white(tmp_path: Path, foreground: int) -> None:
    values = SHAPE.astype(np.uint16 if foreground > 255 else np.uint8) * foreground
    path = save(tmp_path / "m.png", values)
    assert mask_values(path).values == (0, foreground)
    np.testing.assert_array_equal(read_mask(path), SHAPE)
    whole = save(tmp_path / "whole.png", np.full_like(values, foreground))
    assert (read_mask(whole) == 1).all()


@pytest.mark.parametrize("values", [(0, 127, 128), (0, 2), (0, 1, 255), (0, 128)])
def test_other_values_of_two_classes_are_refused(tmp_path: Path, values: tuple[int, ...]) -> None:
    path = save(tmp_path / "m.png", np.array([values], dtype=np.uint8))
    said = f"m.png: holds the values {', '.join(map(str, values))} where two classes"
    with pytest.raises(DataError, match=said):
        read_mask(path)


def test_several_classes_are_indices_in_gray_and_palette(tmp_path: Path) -> None:
    values = SHAPE * 3
    values[0, :3] = (1, 2, UNKNOWN)
    gray = save(tmp_path / "gray.png", values)
    palette = Image.fromarray(values, "L").copy()
    palette.putpalette(list(range(255, -1, -1)) * 3)
    palette.save(tmp_path / "palette.png")
    for path in (gray, tmp_path / "palette.png"):
        assert mask_values(path).values == (0, 1, 2, 3, UNKNOWN)
        np.testing.assert_array_equal(read_mask(path, classes=4), values)
    with pytest.raises(DataError, match=r"the values 0, 1, 2, 3, 255 for 3 classes.*from 0 to 2"):
        read_mask(gray, classes=3)


def test_several_classes_in_jpeg_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "m.jpg", SHAPE * 255)
    with pytest.raises(DataError, match="JPEG, which cannot hold class numbers"):
        read_mask(path, classes=3)


def test_what_is_no_gray_picture_is_refused(tmp_path: Path) -> None:
    colour = np.stack([SHAPE * 255, SHAPE, SHAPE], axis=-1)
    with pytest.raises(DataError, match="is a picture in colour"):
        read_mask(save(tmp_path / "a.png", colour))
    half = np.stack([SHAPE * 255] * 3 + [SHAPE * 100 + 1], axis=-1)
    with pytest.raises(DataError, match="is partly transparent"):
        read_mask(save(tmp_path / "b.png", half))
    (tmp_path / "c.png").write_text("no picture")
    with pytest.raises(DataError, match="is not a PNG, JPEG, TIFF or BMP"):
        mask_values(tmp_path / "c.png")
    (tmp_path / "d.dcm").write_bytes(bytes(128) + b"DICM")
    with pytest.raises(DataError, match="is DICOM, which is not read as a mask"):
        read_mask(tmp_path / "d.dcm")
    with pytest.raises(DataError, match=r"absent.png: cannot be opened \(No such file"):
        read_mask(tmp_path / "absent.png")


def test_a_mask_is_turned_upright_as_its_image_is(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown a quarter turn clockwise
    Image.fromarray(SHAPE).save(tmp_path / "m.png", exif=exif)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), np.rot90(SHAPE, -1))


def volume(path: Path, values: np.ndarray) -> Path:
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)  # type: ignore[no-untyped-call]
    return path


@pytest.mark.parametrize("kind", [np.uint8, np.float64])
def test_a_label_map_is_read_slice_by_slice(tmp_path: Path, kind: type) -> None:
    values = (np.arange(60).reshape(3, 4, 5) % 7).astype(kind)
    path = volume(tmp_path / "m.nii.gz", values)
    assert mask_values(path) == Held(tuple(range(7)))
    # In RAS+ axes the screen shows the patient's right on the left and the front or head on top.
    axial = read_mask(path, classes=7, frame=4)
    np.testing.assert_array_equal(axial, values[::-1, ::-1, 4].T)
    coronal = read_mask(path, classes=7, frame=1, plane="coronal")
    np.testing.assert_array_equal(coronal, values[::-1, 1, ::-1].T)
    with pytest.raises(DataError, match="for 3 classes"):
        read_mask(path, classes=3, frame=4)


def test_a_label_map_without_whole_numbers_is_refused(tmp_path: Path) -> None:
    path = volume(tmp_path / "m.nii.gz", np.full((2, 2, 2), 0.5))
    for act in (mask_values, lambda each: read_mask(each, frame=0)):
        with pytest.raises(DataError, match="holds values that are no class numbers"):
            act(path)


def test_a_truncated_label_map_is_refused(tmp_path: Path) -> None:
    path = volume(tmp_path / "m.nii", np.ones((8, 8, 8), np.uint8))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="is damaged or truncated"):
        mask_values(path)


def test_values_in_words() -> None:
    assert is_binary((0, 255))
    assert is_binary((1,))
    assert not is_binary((0, 1, 255))
    assert listed(range(10)) == "the values 0, 1, 2, 3, 4, 5, 6, 7 and 2 more"


def test_masks_look_like_masks_and_images_do_not(tmp_path: Path) -> None:
    big = np.kron(SHAPE, np.ones((8, 8), np.uint8))
    noise = np.random.default_rng(0).integers(0, 256, big.shape, np.uint8)
    for name, values in {"m.png": big * 3, "m.jpg": big * 255, "white.jpg": big * 0 + 255}.items():
        assert shows_labels(save(tmp_path / name, values)), name
    for name, values in {"i.png": noise, "i.jpg": noise, "gray.jpg": big * 0 + 128}.items():
        assert not shows_labels(save(tmp_path / name, values)), name
    for name, values in {"m.nii": big, "i.nii": noise}.items():
        path = tmp_path / name
        nibabel.save(nibabel.Nifti1Image(values[..., None], np.eye(4)), path)
        assert shows_labels(path) == (name == "m.nii")
    (tmp_path / "text.png").write_text("no picture")
    assert not shows_labels(tmp_path / "text.png")
    assert not shows_labels(tmp_path / "absent.png")
