"""Of which colour, and how much of it; both as ratios, so that the time of day moves them less than a changed sensor does."""

from __future__ import annotations

import math

import numpy as np

from detectors.images.light import Luma, Pixels


def colour_balance(pixels: Pixels) -> float:
    """log(blue / red) of the channel means: 0 for grey, negative for warm light; one level is added to both so that black is defined.

    >>> round(colour_balance(np.full((2, 2, 3), (199, 0, 99), dtype=np.uint8)), 3)
    -0.693
    """
    red, blue = pixels[:, :, 0].mean(), pixels[:, :, 2].mean()  # six times faster than one mean over three channels
    return math.log((float(blue) + 1.0) / (float(red) + 1.0))


def colourfulness(pixels: Pixels, grey: Luma) -> float:
    """log((C + 1) / (mean grey + 1)) with C = sqrt(sd_rg^2 + sd_yb^2) + .3 sqrt(mean_rg^2 + mean_yb^2), rg = R - G, yb = (R + G) / 2 - B.

    Fog, rain and a failing sensor wash colours out, swapped channels and a new white balance move the colour balance instead.

    Source: Hasler, Suesstrunk, Measuring colourfulness in natural images, 2003; here relative to brightness.
    """
    red, green, blue = (pixels[:, :, i].astype(np.float32) for i in range(3))
    rg, yb = red - green, (red + green) * 0.5 - blue
    colour = math.hypot(rg.std(), yb.std()) + 0.3 * math.hypot(rg.mean(), yb.mean())
    return math.log((colour + 1.0) / (float(grey.mean()) + 1.0))
