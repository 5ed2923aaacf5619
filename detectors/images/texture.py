"""How neighbouring pixels differ: noise, sharpness, direction."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from detectors.images.light import Luma

_FLOOR = 0.05  # grey levels: a constant picture has a finite logarithm, and rounding to integers stays below notice


def noise(grey: Luma) -> float:
    """log of the noise's standard deviation in grey levels: sqrt(pi / 2) mean |N * g| / 6 with N = [1 -2 1; -2 4 -2; 1 -2 1].

    N removes planes and straight edges, so scenes matter little. NaN below 3 x 3 pixels.

    Source: Immerkaer, Fast noise variance estimation, 1996.
    """
    if min(grey.shape) < 3:
        return math.nan
    rows = grey[:-2] - 2 * grey[1:-1] + grey[2:]
    both = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return math.log(math.sqrt(math.pi / 2) * float(np.abs(both).mean()) / 6 + _FLOOR)


def anisotropy(grey: Luma) -> float:
    """log(mean |horizontal difference| / mean |vertical difference|): positive for upright structure, as rain draws it. NaN below 2 x 2."""
    if min(grey.shape) < 2:
        return math.nan
    across, down = np.abs(np.diff(grey, axis=1)).mean(), np.abs(np.diff(grey, axis=0)).mean()
    return math.log((float(across) + _FLOOR) / (float(down) + _FLOOR))


def high_frequency(grey: Luma) -> float:
    """log mean square of the block cosine coefficients with i + j >= 9: fine detail, lost to blur and compression.

    Orthonormal 8 x 8 transform on the grid that JPEG uses, in grey levels squared. NaN below 8 x 8 pixels.
    """
    rows, columns = grey.shape[0] // 8, grey.shape[1] // 8
    if not rows or not columns:
        return math.nan
    cosines, fine = _cosines()
    blocks = grey[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3)
    power = np.square(cosines @ blocks @ cosines.T).mean(axis=(0, 1))
    return math.log(float(power[fine].mean()) + _FLOOR**2)


@lru_cache(maxsize=1)
def _cosines() -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    k = np.arange(8)
    matrix = np.sqrt(2 / 8) * np.cos(np.pi * (2 * k[None, :] + 1) * k[:, None] / 16)
    matrix[0] = np.sqrt(1 / 8)
    return matrix.astype(np.float32), k[:, None] + k[None, :] >= 9
