"""Whatever bytes arrive, an answer is returned: pixels as defined, or a reason from the bounded set."""

from __future__ import annotations

import io
import math
import struct
import zlib
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from detectors.images.decode import CROP, Picture, Reason, Refused, decode
from detectors.images.measure import measure
from detectors.layout import IMAGE_CATEGORIES, IMAGE_STATISTICS

RAMP = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8)


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def png_promising(width: int, height: int) -> bytes:
    """A few dozen bytes whose header promises that many pixels; there is next to no data behind it."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


GREY = Image.fromarray(RAMP)
COLOUR = Image.fromarray(np.stack([RAMP, RAMP[::-1], RAMP // 2], axis=2))
JPEG = saved(COLOUR, "JPEG", quality=90)


@pytest.mark.parametrize(
    ("data", "reason", "because"),
    [
        (b"", "empty", "an empty field is not a broken picture"),
        (b"hello, this is text", "not a picture", "a service sent a path or a message instead of bytes"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture", "vector languages would start another program"),
        (JPEG[:2], "not a picture", "two bytes are no header"),
        (JPEG[: len(JPEG) // 2], "truncated", "an upload broke off in the middle"),
        (saved(COLOUR)[:-60], "truncated", "a PNG broke off as well"),
        (png_promising(20_000, 20_000), "too large", "400 million pixels must not be decoded to find out"),
        (png_promising(10_000, 10_000), "too large", "here Pillow itself would only warn"),
        (png_promising(4001, 4000), "too large", "one row more than the limit"),
        (png_promising(4000, 4000), "truncated", "at the limit it is tried, and the data is not there"),
        (png_promising(0, 10), "not a picture", "no pixels"),
    ],
)
def test_bad_bytes_have_a_reason(data: bytes, reason: str, because: str) -> None:
    answer = decode(data)
    assert isinstance(answer, Refused), because
    assert answer.reason == reason, f"{because}: {answer.detail}"
    assert answer.detail, "a person needs to know more than the counter does"


def test_a_jpeg_that_promises_too_much_is_refused_unread() -> None:
    at = JPEG.index(b"\xff\xc0") + 5
    answer = decode(JPEG[:at] + struct.pack(">HH", 20_000, 20_000) + JPEG[at + 4 :])
    assert isinstance(answer, Refused)
    assert answer.reason == "too large"
    assert "20000x20000" in answer.detail or "400000000" in answer.detail


def test_the_limit_is_the_owners() -> None:
    assert isinstance(decode(JPEG, pixel_limit=2400), Picture)
    assert isinstance(decode(JPEG, pixel_limit=2399), Refused)


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_no_bytes_raise(data: bytes) -> None:
    for start in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"RIFF", b"II*\0", b"P6 "):
        answer = measure(start + data)
        assert answer.reason is None or answer.reason in get_args(Reason)


@given(st.integers(2, len(JPEG) - 1), st.binary(min_size=1, max_size=6), st.integers(0, len(JPEG)))
@settings(max_examples=300, deadline=None)
def test_no_damage_raises(at: int, patch: bytes, end: int) -> None:
    damaged = (JPEG[:at] + patch + JPEG[at + len(patch) :])[: max(end, at)]
    answer = measure(damaged)
    assert (answer.reason is None) == any(not math.isnan(v) for v in answer.numbers)


frames = [Image.new("RGB", (20, 20), (level,) * 3).quantize(4) for level in (9, 99)]
MODES: list[tuple[str, bytes, tuple[int, int, int], str]] = [
    ("1 bit", saved(Image.new("1", (20, 20), 1)), (255, 255, 255), "PNG 1"),
    ("grey", saved(Image.new("L", (20, 20), 77)), (77, 77, 77), "PNG L"),
    ("grey and alpha", saved(Image.new("LA", (20, 20), (77, 0))), (77, 77, 77), "PNG LA"),
    ("transparent", saved(Image.new("RGBA", (20, 20), (10, 20, 30, 0))), (10, 20, 30), "PNG RGBA"),
    ("palette", saved(Image.new("RGB", (20, 20), (10, 20, 30)).quantize(4)), (10, 20, 30), "PNG P"),
    ("16 bits", saved(Image.fromarray(np.full((20, 20), 77 * 256 + 200, np.uint16))), (77, 77, 77), "PNG I;16"),
    ("16 bits in a TIFF", saved(Image.fromarray(np.full((20, 20), 77 * 256, np.uint16)), "TIFF"), (77, 77, 77), "TIFF I;16"),
    ("CMYK", saved(Image.new("CMYK", (20, 20), (0, 255, 255, 0)), "TIFF"), (255, 0, 0), "TIFF CMYK"),
    ("bitmap", saved(Image.new("RGB", (20, 20), (10, 20, 30)), "BMP"), (10, 20, 30), "BMP RGB"),
    ("lossless WebP", saved(Image.new("RGB", (20, 20), (10, 20, 30)), "WEBP", lossless=True), (10, 20, 30), "WEBP RGB"),
    (
        "two frames",
        saved(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        (9, 9, 9),
        "GIF P",
    ),
]


@pytest.mark.parametrize(("data", "colour", "form"), [row[1:] for row in MODES], ids=[row[0] for row in MODES])
def test_every_mode_has_defined_colours(data: bytes, colour: tuple[int, int, int], form: str) -> None:
    picture = decode(data)
    assert isinstance(picture, Picture), picture
    assert picture.pixels.shape == (20, 20, 3)
    assert picture.pixels.dtype == np.uint8
    assert (picture.pixels == colour).all()
    assert measure(data).categories == (form, "20x20")


def test_a_transparent_palette_is_read_without_a_warning() -> None:
    image = COLOUR.quantize(8)
    assert isinstance(decode(saved(image, transparency=bytes([0, 128, 255, 255, 255, 255, 255, 255]))), Picture)


def test_a_wrong_name_does_not_matter() -> None:
    assert measure(saved(COLOUR)).categories[0] == "PNG RGB"  # whatever the sender called it


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 5), (3, 3), (4, 4), (2, 300), (15, 15), (16, 16), (300, 1)])
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_tiny_pictures_say_what_they_can(width: int, height: int, form: str) -> None:
    rng = np.random.default_rng(width * height)
    answer = measure(saved(Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)), form))
    assert answer.reason is None
    has = dict(zip(IMAGE_STATISTICS, (not math.isnan(v) for v in answer.numbers), strict=True))
    short = min(width, height, CROP)
    assert has == {
        **dict.fromkeys(("brightness", "contrast", "haze", "colour_balance", "colourfulness"), True),
        **dict.fromkeys(("noise", "sharpness"), short >= 3),
        "anisotropy": short >= 4,
        "blockiness": short >= 16,
        "quality": form == "JPEG",
    }


def test_a_large_picture_is_cropped_on_the_grid_of_blocks() -> None:
    wide = np.add.outer(np.zeros(300, np.uint8), np.arange(601) // 8 * 3 % 251).astype(np.uint8)
    picture = decode(saved(Image.fromarray(wide)))
    assert isinstance(picture, Picture)
    assert (picture.width, picture.height) == (601, 300)
    assert picture.pixels.shape == (256, 256, 3)
    row = picture.pixels[0, :, 0].astype(int)
    assert set(np.flatnonzero(np.diff(row)) % 8) == {7}, "steps stay between pixels 7 and 8"
    middle = row[128]
    assert abs(int(middle) - int(wide[0, 300])) <= 3, "the centre stays the centre"


def test_an_unmeasured_picture_has_no_numbers() -> None:
    answer = measure(JPEG[:200])
    assert answer.reason == "truncated"
    assert all(math.isnan(v) for v in answer.numbers)
    assert len(answer.numbers) == len(IMAGE_STATISTICS)
    assert answer.categories == (None,) * len(IMAGE_CATEGORIES)
