"""Arrays and texts as compact, versioned bytes: the format under every packed summary and cut. No pickle.

Layout, little-endian: length of the kind, the kind in ASCII, version, number of parts; then per part a letter, a count
and the data. Integers take the narrowest unsigned width that holds them.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

# letter -> dtype as stored
_STORED: dict[str, np.dtype[Any]] = {
    "b": np.dtype("<u1"),
    "h": np.dtype("<u2"),
    "i": np.dtype("<u4"),
    "q": np.dtype("<u8"),
    "d": np.dtype("<f8"),
}
_COUNT = struct.Struct("<cI")


def pack_parts(kind: str, version: int, *parts: NDArray[Any] | list[str]) -> bytes:
    """Bytes of arrays (non-negative integers or floats, one dimension) and lists of texts.

    >>> data = pack_parts("example", 1, np.array([1, 2, 300]), ["a", "b"])
    >>> unpack_parts("example", 1, data)
    [array([  1,   2, 300], dtype=uint64), ['a', 'b']]
    """
    name = kind.encode("ascii")
    out = [bytes([len(name)]), name, bytes([version, len(parts)])]
    for part in parts:
        if isinstance(part, list):
            texts = [text.encode("utf-8", "surrogatepass") for text in part]
            out += [_COUNT.pack(b"t", len(texts)), _array(np.array([len(t) for t in texts], dtype=np.uint64)), *texts]
        else:
            out.append(_array(part))
    return b"".join(out)


def _array(array: NDArray[Any]) -> bytes:
    if array.dtype.kind == "f":
        letter = "d"
    else:
        top = int(array.max()) if len(array) else 0
        letter = "b" if top < 1 << 8 else "h" if top < 1 << 16 else "i" if top < 1 << 32 else "q"
    return _COUNT.pack(letter.encode(), len(array)) + array.astype(_STORED[letter]).tobytes()


def kind_of(data: bytes) -> str:
    """The kind that packed bytes announce.

    >>> kind_of(pack_parts("example", 1))
    'example'
    """
    return data[1 : 1 + data[0]].decode("ascii", "replace") if data else ""


def unpack_parts(kind: str, version: int, data: bytes) -> list[Any]:
    """The parts again, integers as uint64; ValueError where the bytes are of another kind, a newer version, or cut short."""
    if kind_of(data) != kind:
        raise ValueError(f"packed {kind} expected, found {kind_of(data)!r}")
    at = 1 + data[0]
    try:
        if data[at] != version:
            raise ValueError(f"packed {kind}: version {data[at]} found, this release reads version {version}")
        parts, at, out = data[at + 1], at + 2, []
        for _ in range(parts):
            part, at = _part(data, at)
            out.append(part)
    except (IndexError, struct.error, KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"packed {kind}: cut short or damaged at byte {at} of {len(data)}") from error
    if at != len(data):
        raise ValueError(f"packed {kind}: {len(data) - at} bytes too many")
    return out


def _part(data: bytes, at: int) -> tuple[NDArray[Any] | list[str], int]:
    letter, count = _COUNT.unpack_from(data, at)
    at += _COUNT.size
    if letter == b"t":
        lengths, at = _part(data, at)
        texts = []
        for length in lengths:
            end = at + int(length)
            if end > len(data):
                raise IndexError(end)
            texts.append(data[at:end].decode("utf-8", "surrogatepass"))
            at = end
        return texts, at
    stored = _STORED[letter.decode("ascii", "replace")]
    end = at + count * stored.itemsize
    if end > len(data):
        raise IndexError(end)
    array = np.frombuffer(data, dtype=stored, count=count, offset=at)
    return array.astype(np.float64 if letter == b"d" else np.uint64), end
