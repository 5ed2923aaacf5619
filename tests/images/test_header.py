"""A JPEG's header says how it was encoded, exactly, without a pixel decoded."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from detectors.images.header import jpeg_header, nearest_quality
from detectors.images.measure import measure

SCENE = np.random.default_rng(5).integers(0, 256, (33, 50, 3), dtype=np.uint8)


def jpeg(mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(SCENE).convert(mode).save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize("quality", range(10, 101))
def test_quality_is_recovered(quality: int) -> None:
    header = jpeg_header(jpeg(quality=quality))
    assert header is not None
    assert header.quality == quality
    assert (header.width, header.height) == (50, 33)


@pytest.mark.parametrize(("asked", "found"), [("4:4:4", "4:4:4"), ("4:2:2", "4:2:2"), ("4:2:0", "4:2:0")])
def test_subsampling_is_recovered(asked: str, found: str) -> None:
    header = jpeg_header(jpeg(subsampling=asked))
    assert header is not None
    assert header.sampling == found


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (jpeg(subsampling="4:2:0"), "JPEG 4:2:0"),
        (jpeg(subsampling="4:4:4", progressive=True), "JPEG 4:4:4 progressive"),
        (jpeg("L"), "JPEG L"),
        (jpeg("CMYK", subsampling="4:4:4"), "JPEG CMYK 4:4:4"),
    ],
)
def test_the_format_names_the_encoding(data: bytes, form: str) -> None:
    assert measure(data).categories == (form, "50x33")


def test_grey_pictures_have_a_quality_too() -> None:
    header = jpeg_header(jpeg("L", quality=63))
    assert header is not None
    assert header.quality == 63
    assert header.sampling == ""


def test_an_embedded_preview_does_not_speak_for_the_picture() -> None:
    exif = Image.Exif()
    exif[0x9286] = jpeg(quality=20)  # a comment that holds a whole JPEG, as maker notes do
    header = jpeg_header(jpeg(quality=85, exif=exif))
    assert header is not None
    assert header.quality == 85


def test_foreign_tables_get_the_nearest_quality() -> None:
    data = jpeg(quality=50)
    at = data.index(b"\xff\xdb") + 5
    near = bytes(v + (1 if i % 2 else -1) for i, v in enumerate(data[at : at + 64]))
    header = jpeg_header(data[:at] + near + data[at + 64 :])
    assert header is not None
    assert 48 <= header.quality <= 52


def test_saturated_tables_are_the_worst() -> None:
    assert nearest_quality((255,) * 64) == 1.0


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", jpeg()[:150], b"\xff\xd8" + b"\xff" * 50, b"\xff\xd8\xff\xc0\x00\x02"]
)
def test_no_frame_no_header(data: bytes) -> None:
    assert jpeg_header(data) is None


def test_a_frame_without_tables_has_no_quality() -> None:
    data = jpeg()
    while (at := data.find(b"\xff\xdb")) >= 0:
        data = data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]
    header = jpeg_header(data)
    assert header is not None
    assert math.isnan(header.quality)
