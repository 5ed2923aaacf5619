"""Bytes to pixels. The only file that knows Pillow.

Whatever arrives, an answer is returned: pixels, or a reason from a short list. The size is read from the header before anything is
decoded, since a few kilobytes can promise 400 million pixels.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError

from detectors.images.light import Pixels

Reason: TypeAlias = Literal["empty", "not a picture", "too large", "truncated", "undecodable"]

PIXEL_LIMIT = 16_000_000
CROP = 256  # pixels a side; statistics of noise and block edges need native resolution, so a large picture is cropped, not shrunk

# Formats that services exchange. Others that Pillow could read start other programs or read vector languages.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
_DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N")  # one channel of 16 bits, whichever way it was stored


@dataclass(frozen=True, slots=True)
class Picture:
    """`pixels` RGB of shape (rows, columns, 3): the centre, at most `CROP` a side; `width` and `height` of the whole."""

    pixels: Pixels
    format: str
    mode: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Refused:
    """`reason` is one of a bounded set and may be counted by; `detail` is for people."""

    reason: Reason
    detail: str


def decode(data: bytes, pixel_limit: int = PIXEL_LIMIT, crop: int = CROP) -> Picture | Refused:
    """RGB pixels of the centre of an encoded picture, or why there are none; bad bytes never raise.

    The crop starts on a multiple of eight pixels, so that the grid of JPEG blocks stays where it was. Grey becomes three equal
    channels; transparency is dropped (as `convert("RGB")` in a service would); palettes and CMYK become their colours; one channel of
    16 bits keeps its upper eight; fractions are taken as levels of 255; of several frames the first counts. Orientation tags are
    ignored: the sensor's grid is what is measured.

    `pixel_limit`: pixels of the whole picture above which it is refused unread; `crop`: pixels a side.

    >>> decode(b"").reason
    'empty'
    """
    if not data:
        return Refused("empty", "no bytes")
    try:
        # Pillow warns about odd metadata and large sizes: here each is either harmless or answered by the limit below.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                width, height = image.size
                if width * height > pixel_limit:
                    return Refused("too large", f"{width}x{height} pixels, more than the limit of {pixel_limit}")
                return Picture(_centre(image, crop), image.format or "", image.mode, width, height)
    except UnidentifiedImageError:
        return Refused("not a picture", f"{len(data)} bytes beginning with {data[:8].hex(' ')}; wanted one of {', '.join(_FORMATS)}")
    except Image.DecompressionBombError as error:
        return Refused("too large", str(error))
    except Exception as error:  # noqa: BLE001 -- parsers of broken files raise whatever they trip over; each is an answer about the bytes
        text = str(error)
        return Refused("truncated" if "truncated" in text.lower() else "undecodable", f"{type(error).__name__}: {text}"[:200])


def _centre(image: Image.Image, crop: int) -> Pixels:
    width, height = image.size
    left, top = (max(side - crop, 0) // 2 // 8 * 8 for side in (width, height))
    image.load()  # names truncation here, before crop and conversion can hide it
    centre = image if (width <= crop and height <= crop) else image.crop((left, top, min(left + crop, width), min(top + crop, height)))
    if image.mode in _DEEP:
        deep = np.asarray(centre).astype(np.int64)
        return np.repeat((np.clip(deep, 0, 65_535) >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    return np.asarray(centre.convert("RGB"))
