"""How bright, how contrasted, of which colour: the statistics of pixels without their neighbours."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.images.decode import Pixels

Luma: TypeAlias = NDArray[np.float32]

_WEIGHTS = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, the luma that JPEG itself encodes


def luma(pixels: Pixels) -> Luma:
    """Grey levels 0 to 255 of shape (rows, columns): .299 R + .587 G + .114 B."""
    return pixels.astype(np.float32) @ _WEIGHTS


def brightness_contrast(grey: Luma) -> tuple[float, float]:
    """Mean and standard deviation of the grey levels, in levels of 255.

    >>> brightness_contrast(np.array([[0, 200]], dtype=np.float32))
    (100.0, 100.0)
    """
    return float(grey.mean()), float(grey.std())


def colour_balance(pixels: Pixels) -> float:
    """log(blue / red) of the channel means: 0 for grey, negative for warm light; one level is added to both so that black is defined."""
    means = pixels.reshape(-1, 3).mean(axis=0)
    return math.log((float(means[2]) + 1.0) / (float(means[0]) + 1.0))
