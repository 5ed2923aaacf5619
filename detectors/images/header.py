"""What a JPEG says of itself before any pixel is decoded: size, chroma subsampling, and how hard it was compressed.

A new encoder, firmware or upload path shows here at the first picture, exactly, while pixel statistics have to collect evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Table: TypeAlias = tuple[int, ...]

# Quantisation tables of ITU-T T.81, annex K.1 and K.2, row by row. Nearly every encoder scales these two.
_LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMA = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
    *(99,) * 32,
)  # fmt: skip

_SOI, _EOI, _SOS, _DQT = 0xD8, 0xD9, 0xDA, 0xDB
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame, of whichever coding process
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_BARE = frozenset(range(0xD0, 0xD8)) | {0x01}  # markers without a length
_SAMPLING = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (4, 1): "4:1:1", (1, 2): "4:4:0"}


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """`sampling` is "4:2:0" and the like, "" for a picture without colour; `quality` 1 to 100, NaN without tables."""

    width: int
    height: int
    sampling: str
    progressive: bool
    quality: float


def jpeg_header(data: bytes) -> JpegHeader | None:
    """Walk the markers of a JPEG up to its first scan; None if this is not one, or it breaks off before its frame.

    Embedded previews live inside application segments, which are skipped whole, so that their tables are not mistaken for the picture's.
    """
    if data[:2] != b"\xff\xd8":
        return None
    tables: dict[int, Table] = {}
    frame: tuple[int, bytes] | None = None
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            at += 1
            continue
        marker = data[at + 1]
        if marker == 0xFF or marker in _BARE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in (_SOS, _EOI):
            break
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        if marker == _DQT:
            tables.update(_tables(body))
        elif marker in _FRAMES and frame is None:
            frame = marker, body
        at += 2 + max(length, 2)
    return None if frame is None else _describe(*frame, tables)


def _describe(marker: int, body: bytes, tables: dict[int, Table]) -> JpegHeader | None:
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        return None
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    parts = [body[6 + 3 * i : 9 + 3 * i] for i in range(body[5])]  # identifier, sampling factors, table number
    sampling = ""
    if len(parts) >= 3:
        h, v = parts[0][1] >> 4, parts[0][1] & 15
        hc, vc = max(parts[1][1] >> 4, 1), max(parts[1][1] & 15, 1)
        sampling = _SAMPLING.get((h // hc, v // vc), f"{h}x{v}/{hc}x{vc}")
    used = [tables[part[2]] for part in parts[:2] if part[2] in tables]
    quality = float("nan") if not used else nearest_quality(used[0], used[1] if len(used) > 1 else None)
    return JpegHeader(width, height, sampling, marker in _PROGRESSIVE, quality)


def _tables(body: bytes) -> dict[int, Table]:
    out: dict[int, Table] = {}
    at = 0
    while at < len(body):
        wide, number = body[at] >> 4, body[at] & 15
        size = 128 if wide else 64
        cells = body[at + 1 : at + 1 + size]
        if len(cells) < size:
            break
        out[number] = tuple(int.from_bytes(cells[i : i + 2], "big") for i in range(0, 128, 2)) if wide else tuple(cells)
        at += 1 + size
    return out


def _zigzag() -> NDArray[np.intp]:
    """Row-by-row index of each coefficient in the order in which a file stores them: along the anti-diagonals, turning at each."""
    cells = [(i, j) for i in range(8) for j in range(8)]
    cells.sort(key=lambda c: (c[0] + c[1], c[0] if (c[0] + c[1]) % 2 else c[1]))
    return np.array([8 * i + j for i, j in cells])


@lru_cache(maxsize=1)
def _standard() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The tables of quality 1 to 100 in file order, each of shape (100, 64): base * (5000 / q or 200 - 2 q) %, within 1..255."""
    order = _zigzag()
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)[:, None]
    luma, chroma = (np.clip((np.array(base)[order] * scale + 50) // 100, 1, 255) for base in (_LUMA, _CHROMA))
    return luma, chroma


@lru_cache(maxsize=256)
def nearest_quality(luma: Table, chroma: Table | None = None) -> float:
    """The quality whose standard tables are nearest in absolute difference; exact for encoders that scale the standard tables.

    `luma` and `chroma` hold 64 divisors in file (zigzag) order. Cached: a camera sends the same tables with every picture.

    >>> nearest_quality((1,) * 64)
    100.0

    Source: scaling of the tables as in the Independent JPEG Group's library.
    """
    standard_luma, standard_chroma = _standard()
    distance = np.abs(standard_luma - np.array(luma)).sum(axis=1)
    if chroma is not None:
        distance = distance + np.abs(standard_chroma - np.array(chroma)).sum(axis=1)
    # several low qualities are the same saturated table: the highest of them, as an encoder's user would have chosen
    return float(100 - int(np.argmin(distance[::-1])))
