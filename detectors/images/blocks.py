"""Traces of compression in the pixels themselves, which stay when a picture is encoded again and its header lies."""

from __future__ import annotations

import math

import numpy as np

from detectors.images.light import Luma

_FLOOR = 0.05


def blockiness(grey: Luma) -> float:
    """log(mean |step| across the borders of 8 x 8 blocks / mean |step| elsewhere), averaged over columns and rows.

    0 without visible blocks, negative never by much, 1 and more for hard compression. NaN below 16 x 16 pixels.

    Source: Wang, Sheikh, Bovik, No-reference perceptual quality assessment of JPEG compressed images, 2002.
    """
    if min(grey.shape) < 16:
        return math.nan
    out = 0.0
    for axis in (0, 1):
        steps = np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)
        border = np.zeros(len(steps), dtype=bool)
        border[7::8] = True
        out += math.log((float(steps[border].mean()) + _FLOOR) / (float(steps[~border].mean()) + _FLOOR))
    return out / 2
