"""One picture in, a handful of numbers and categories out: what raincheck watches of images, without any network."""

from __future__ import annotations

import math
from dataclasses import dataclass

from detectors.images.blocks import blockiness
from detectors.images.colour import colour_balance, colourfulness
from detectors.images.decode import PIXEL_LIMIT, Picture, Refused, decode
from detectors.images.header import JpegHeader, jpeg_header
from detectors.images.light import brightness_contrast, haze, luma
from detectors.images.texture import texture
from detectors.layout import IMAGE_CATEGORIES, IMAGE_STATISTICS


@dataclass(frozen=True, slots=True)
class Measurement:
    """`numbers` in the order of `IMAGE_STATISTICS`, NaN where a statistic does not apply; `categories` of `IMAGE_CATEGORIES`.

    A picture that could not be measured is invalid: `reason` says why ("truncated" and the like, a bounded set), `detail` more for
    people, all numbers are NaN and all categories None.
    """

    numbers: tuple[float, ...]
    categories: tuple[str | None, ...]
    reason: str | None = None
    detail: str = ""


def measure(data: bytes, pixel_limit: int = PIXEL_LIMIT) -> Measurement:
    """Statistics of an encoded picture's centre at native resolution, at most 256 x 256 pixels.

    `quality` is NaN for what is not a JPEG; statistics of neighbours are NaN for pictures too small to have them.

    >>> measure(b"not a picture").reason
    'not a picture'
    """
    picture = decode(data, pixel_limit)
    if isinstance(picture, Refused):
        return Measurement((math.nan,) * len(IMAGE_STATISTICS), (None,) * len(IMAGE_CATEGORIES), picture.reason, picture.detail)
    header = jpeg_header(data)
    grey = luma(picture.pixels)
    brightness, contrast = brightness_contrast(grey)
    near = texture(grey)
    found = {
        "brightness": brightness,
        "contrast": contrast,
        "haze": haze(picture.pixels),
        "colour_balance": colour_balance(picture.pixels),
        "colourfulness": colourfulness(picture.pixels, grey),
        "noise": near.noise,
        "sharpness": near.sharpness,
        "anisotropy": near.anisotropy,
        "blockiness": blockiness(grey),
        "quality": math.nan if header is None else header.quality,
    }
    names = {"format": _format(picture, header), "size": f"{picture.width}x{picture.height}"}
    return Measurement(tuple(found[s] for s in IMAGE_STATISTICS), tuple(names[c] for c in IMAGE_CATEGORIES))


def _format(picture: Picture, header: JpegHeader | None) -> str:
    """Encoding in a few words, "JPEG 4:2:0" or "PNG RGBA": what a new encoder changes and a new scene does not."""
    if header is None:
        return f"{picture.format} {picture.mode}"
    words = ["JPEG", "" if picture.mode == "RGB" else picture.mode, header.sampling, "progressive" if header.progressive else ""]
    return " ".join(word for word in words if word)
