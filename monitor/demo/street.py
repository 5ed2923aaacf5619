"""The street, painted once: houses, road, trees and a traffic light, as layers that light and weather are applied to.

Coordinates are pixels of a canvas a little larger than a picture, so that a camera swaying in the wind sees past the edge. Everything
is painted several times finer and averaged down, which is what a lens does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Layer: TypeAlias = NDArray[np.float32]
Point: TypeAlias = tuple[float, float]
Colour: TypeAlias = tuple[float, float, float]

SIDE = 96  # pixels of a picture
MARGIN = 4  # how far the camera may sway, in pixels
CANVAS = SIDE + 2 * MARGIN
HORIZON = 62.0
LAMPS: tuple[Point, ...] = ((70.0, 27.0), (70.0, 30.4), (70.0, 33.8))  # red, amber, green
LAMP_RADIUS = 1.4
LAMP_COLOURS: tuple[Colour, ...] = ((1.0, 0.16, 0.12), (1.0, 0.66, 0.10), (0.12, 0.95, 0.55))
_FINE = 5


@dataclass(frozen=True, slots=True)
class Street:
    """`paint` reflects light; `sky` is where the sky shows (0 to 1); `glow` shines at night; `lamps[i]` and `halos[i]` when lit."""

    paint: Layer
    sky: Layer
    glow: Layer
    wet: Layer
    lamps: tuple[Layer, ...]
    halos: tuple[Layer, ...]
    clouds: Layer


class _Easel:
    """A fine canvas and brushes: masks of convex polygons and discs, painted over what is there."""

    def __init__(self) -> None:
        steps = (np.arange(CANVAS * _FINE, dtype=np.float32) + 0.5) / _FINE
        self.x, self.y = np.meshgrid(steps, steps)
        self.colour = np.zeros((*self.x.shape, 3), np.float32)
        self.sky = np.ones(self.x.shape, np.float32)
        self.glow = np.zeros_like(self.colour)

    def polygon(self, *corners: Point) -> NDArray[np.bool_]:
        """Inside of a convex polygon whose corners run clockwise as seen on the picture."""
        inside = np.ones(self.x.shape, bool)
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            inside &= (x1 - x0) * (self.y - y0) - (y1 - y0) * (self.x - x0) >= 0
        return inside

    def box(self, left: float, top: float, right: float, bottom: float) -> NDArray[np.bool_]:
        return (self.x >= left) & (self.x < right) & (self.y >= top) & (self.y < bottom)

    def disc(self, x: float, y: float, radius: float) -> NDArray[np.bool_]:
        return (self.x - x) ** 2 + (self.y - y) ** 2 <= radius**2

    def fill(self, mask: NDArray[np.bool_], colour: Colour) -> None:
        self.colour[mask] = colour
        self.sky[mask] = 0.0
        self.glow[mask] = 0.0

    def shine(self, mask: NDArray[np.bool_], colour: Colour) -> None:
        self.glow[mask] = colour


def paint_street(rng: np.random.Generator) -> Street:
    """Paint one street; the generator decides colours, windows and trees, not where the light stands."""
    easel = _Easel()
    _houses(easel, rng)
    _road(easel)
    _trees(easel, rng)
    _street_lamp(easel)
    _traffic_light(easel)
    road = easel.polygon((47, HORIZON), (57, HORIZON), (108, CANVAS), (-4, CANVAS))
    return Street(
        paint=_down(easel.colour) * rng.uniform(0.93, 1.07, (CANVAS, CANVAS, 1)).astype(np.float32),
        sky=_down(easel.sky[:, :, None]),
        glow=_down(easel.glow) + _halo(easel, 14.0, 33.0, 9.0, (0.42, 0.30, 0.14)) + _halo(easel, 16.0, 84.0, 17.0, (0.30, 0.22, 0.11)),
        wet=_down(road.astype(np.float32)[:, :, None]),
        lamps=tuple(_down(easel.disc(*at, LAMP_RADIUS).astype(np.float32)[:, :, None]) for at in LAMPS),
        halos=tuple(_halo(easel, *at, 1.5, colour) for at, colour in zip(LAMPS, LAMP_COLOURS, strict=True)),
        clouds=_clouds(rng),
    )


def _houses(easel: _Easel, rng: np.random.Generator) -> None:
    for left in range(-2, CANVAS, 9):  # the town in the distance
        top = HORIZON - rng.uniform(6, 17)
        shade = rng.uniform(0.44, 0.56)
        easel.fill(easel.box(left, top, left + 9.4, HORIZON + 1), (shade, shade + 0.01, shade + 0.05))
    for left, right, top, wall in ((-1, 11, 12, (0.63, 0.45, 0.36)), (11, 27, 26, (0.70, 0.63, 0.50)), (80, 93, 30, (0.58, 0.60, 0.62)),
                                   (93, 106, 16, (0.66, 0.50, 0.42))):  # fmt: skip
        easel.fill(easel.box(left, top, right, HORIZON + 8), wall)
        easel.fill(easel.box(left - 0.4, top - 1.4, right + 0.4, top), (0.34, 0.29, 0.28))
        for y in np.arange(top + 3.0, HORIZON - 4, 7.0):
            for x in np.arange(left + 1.8, right - 2.6, 4.4):
                pane = easel.box(x, y, x + 2.6, y + 4.0)
                easel.fill(pane, (0.26, 0.31, 0.37))
                if rng.random() < 0.45:
                    easel.shine(pane, (0.72, 0.56, 0.28))
        easel.fill(easel.box(left, HORIZON + 3, right, HORIZON + 8), (0.30, 0.28, 0.27))  # shop fronts
        easel.shine(easel.box(left + 1.5, HORIZON + 3.8, right - 1.5, HORIZON + 7), (0.30, 0.26, 0.18))


def _road(easel: _Easel) -> None:
    easel.fill(easel.box(-1, HORIZON + 8, CANVAS + 1, CANVAS + 1), (0.57, 0.55, 0.52))  # pavement
    easel.fill(easel.polygon((30, HORIZON), (74, HORIZON), (90, HORIZON + 8), (14, HORIZON + 8)), (0.57, 0.55, 0.52))
    easel.fill(easel.polygon((47, HORIZON), (57, HORIZON), (108, CANVAS), (-4, CANVAS)), (0.33, 0.33, 0.35))
    for near, far in ((0.06, 0.12), (0.18, 0.28), (0.38, 0.54)):  # dashes of the middle line, in depth
        top, bottom = HORIZON + near * 42, HORIZON + far * 42
        easel.fill(
            easel.polygon((52 - 1.2 * near, top), (52 + 1.2 * near, top), (52 + 1.2 * far, bottom), (52 - 1.2 * far, bottom)), (0.88,) * 3
        )
    for stripe in range(9):  # the crossing
        x0, x1 = 13 + stripe * 8.9, 17.5 + stripe * 8.9
        top, bottom = 90.0, 97.0
        lean = [(x - 52) * 0.16 for x in (x0, x1)]
        easel.fill(easel.polygon((x0, top), (x1, top), (x1 + lean[1], bottom), (x0 + lean[0], bottom)), (0.86, 0.86, 0.84))


def _trees(easel: _Easel, rng: np.random.Generator) -> None:
    for x, y, size in ((33.0, 57.0, 5.0), (87.0, 60.0, 6.5)):
        easel.fill(easel.box(x - 0.7, y, x + 0.7, y + 12), (0.30, 0.22, 0.16))
        for _ in range(26):
            angle, away = rng.uniform(0, 2 * np.pi), size * np.sqrt(rng.random())
            green = rng.uniform(0.22, 0.46)
            leaf = easel.disc(x + away * np.cos(angle), y - 2 + away * np.sin(angle), rng.uniform(1.0, 2.2))
            easel.fill(leaf, (green * 0.62, green, green * 0.40))


def _street_lamp(easel: _Easel) -> None:
    easel.fill(easel.box(8.5, 32, 9.6, 80), (0.25, 0.26, 0.28))
    easel.fill(easel.box(8.5, 31.0, 15.5, 32.2), (0.25, 0.26, 0.28))
    head = easel.box(12.4, 32.2, 16.0, 33.6)
    easel.fill(head, (0.75, 0.74, 0.70))
    easel.shine(head, (0.95, 0.80, 0.50))


def _traffic_light(easel: _Easel) -> None:
    x, top = LAMPS[0]
    bottom = LAMPS[-1][1]
    easel.fill(easel.box(x - 0.8, bottom, x + 0.8, 88), (0.40, 0.41, 0.42))
    easel.fill(easel.box(x - 3.4, top - 3.1, x + 3.4, bottom + 3.1), (0.80, 0.80, 0.78))  # backing board
    easel.fill(easel.box(x - 2.7, top - 2.4, x + 2.7, bottom + 2.4), (0.10, 0.10, 0.11))
    for at, colour in zip(LAMPS, LAMP_COLOURS, strict=True):
        r, g, b = (0.10 + 0.18 * c for c in colour)
        easel.fill(easel.disc(*at, LAMP_RADIUS), (r, g, b))


def _halo(easel: _Easel, x: float, y: float, width: float, colour: Colour) -> Layer:
    near = np.exp(-((easel.x[::_FINE, ::_FINE] - x) ** 2 + (easel.y[::_FINE, ::_FINE] - y) ** 2) / (2 * width**2))
    return np.asarray(near[:, :, None] * np.array(colour), dtype=np.float32)


def _clouds(rng: np.random.Generator) -> Layer:
    """Cloud cover 0 to 1, four canvases wide and seamless at its ends, so that it can drift past for ever."""
    height, width = CANVAS, 4 * CANVAS
    fy, fx = np.meshgrid(np.fft.fftfreq(height), np.fft.rfftfreq(width), indexing="ij")
    power = 1.0 / (0.012 + np.hypot(1.9 * fy, fx)) ** 1.7
    noise = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(height, width))) * power, s=(height, width))
    noise = (noise - noise.mean()) / noise.std()
    return np.asarray(1 / (1 + np.exp(-2.2 * noise)), dtype=np.float32)


def _down(fine: NDArray[np.float32]) -> Layer:
    """Average _FINE x _FINE cells into one pixel."""
    return np.asarray(fine.reshape(CANVAS, _FINE, CANVAS, _FINE, -1).mean(axis=(1, 3)), dtype=np.float32)
