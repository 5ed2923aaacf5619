"""The camera: street, light, weather and lamp in, an encoded picture out."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image

from monitor.demo.street import CANVAS, LAMP_COLOURS, MARGIN, SIDE, Layer, Street, paint_street
from monitor.demo.weather import Weather, light

QUALITY = 90
LOW_QUALITY = 10  # what the new firmware encodes with
_CARS = ((0.72, 0.14, 0.12), (0.15, 0.25, 0.55), (0.85, 0.85, 0.86), (0.12, 0.12, 0.13), (0.55, 0.57, 0.60))
_SLANT = 0.18  # of falling rain, columns per row
_CLOUD_SPEED = 37.0  # canvas pixels an hour
_LIT = np.array(LAMP_COLOURS, dtype=np.float32)


class Camera:
    """A fixed camera on one street; `seed` decides the street and nothing that happens in it."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 1])
        self.street: Street = paint_street(rng)
        self.rain = [_streaks(rng) for _ in range(12)]

    def picture(self, rng: np.random.Generator, hour: float, weather: Weather, lit: int, quality: int = QUALITY) -> bytes:
        """One JPEG of the street at `hour` since the beginning (its remainder by 24 is the time of day), lamp `lit` shining."""
        return encode(self.expose(rng, hour, weather, lit), quality)

    def expose(self, rng: np.random.Generator, hour: float, weather: Weather, lit: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        """The sensor's picture, RGB of shape (SIDE, SIDE, 3)."""
        cloud = min(max(weather.cloud + 0.06 * rng.normal(), 0.0), 1.0)  # no two pictures have the same sky
        street, sun = self.street, light(hour % 24.0, cloud)
        dx, dy = np.clip(np.rint(rng.normal(0, 1.1, 2)), -MARGIN + 1, MARGIN - 1).astype(int) + MARGIN
        seen = np.s_[dy : dy + SIDE, dx : dx + SIDE]
        scene = street.paint[seen] * np.array(sun.ambient, np.float32)
        glow = street.glow[seen]
        for _ in range(int(rng.integers(0, 3))):
            _car(rng, scene, sun.night, dx, dy)
        scene += self._sky(sun.sky, sun.night, cloud, hour, seen)
        scene += glow * sun.night
        lamp = street.lamps[lit][seen]
        scene *= 1 - lamp
        scene += lamp * _LIT[lit] * (0.60 + 0.2 * sun.night) + street.halos[lit][seen] * (0.06 + 0.26 * sun.night)
        if weather.rain:
            scene = self._wet(rng, scene, weather.rain, seen, sun.night)
        scene *= weather.gain * (1 + 0.025 * rng.normal()) * 236.0
        scene += rng.standard_normal(scene.shape, dtype=np.float32) * (2.4 + 2.8 * sun.night)
        return np.clip(scene, 0, 255).astype(np.uint8)

    def _sky(self, blue: tuple[float, float, float], night: float, cloud: float, hour: float, seen: tuple[slice, slice]) -> Layer:
        """Sky between the houses: blue below drifting clouds, brighter towards the horizon."""
        rows, columns = seen
        start = int(hour * _CLOUD_SPEED) % (3 * CANVAS)
        drifting = self.street.clouds[rows, start + columns.start : start + columns.stop, None]
        cover = np.minimum(drifting * (1.25 * cloud) + max(cloud - 0.6, 0.0) * 1.8, 1.0)
        clear = np.array(blue, np.float32)
        white = np.float32(0.10 + 0.80 * (1 - night) * (1 - 0.25 * cloud))
        grey = np.array([white, white, white * 1.02], np.float32)
        haze = np.linspace(0.86, 1.08, CANVAS, dtype=np.float32)[rows, None, None]
        return np.asarray(self.street.sky[seen] * ((clear + (grey - clear) * cover) * haze), dtype=np.float32)

    def _wet(self, rng: np.random.Generator, scene: Layer, rain: float, seen: tuple[slice, slice], night: float) -> Layer:
        """Rain in the scene: less light, a veil, a wet lens that blurs, a mirroring road, and drops as slanted streaks."""
        scene = scene * (1 - 0.24 * rain)
        mirror = scene[::-1] * self.street.wet[seen]
        scene = scene + 0.16 * rain * mirror
        scene = scene + rain * 0.07 * (1 - 0.7 * night)
        scene = _blur(scene)
        scene += min(0.6 * rain, 1.0) * (_blur(scene) - scene)
        for _ in range(2):
            streaks = self.rain[int(rng.integers(len(self.rain)))]
            shifted = np.roll(streaks, (int(rng.integers(SIDE)), int(rng.integers(SIDE))), axis=(0, 1))
            scene = scene + shifted * (rain * (0.42 - 0.24 * night))
        return np.asarray(scene, dtype=np.float32)


def encode(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], quality: int) -> bytes:
    """JPEG as cameras write it: 4:2:0 colour at the given quality."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality, subsampling="4:2:0")
    return out.getvalue()


def _car(rng: np.random.Generator, scene: Layer, night: float, dx: int, dy: int) -> None:
    """One car on the road, nearer ones larger; its tail lights shine at night."""
    depth = rng.uniform(0.15, 0.75)
    lane = -1 if rng.random() < 0.5 else 1
    middle = 52 + lane * (5 + 21 * depth) / 2 - dx
    floor = 62 + 42 * depth - dy
    width, height = 3 + 14 * depth, 2.4 + 9 * depth
    colour = np.array(_CARS[int(rng.integers(len(_CARS)))], np.float32) * (1 - 0.72 * night)

    def block(left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
        return np.s_[max(round(top), 0) : max(round(bottom), 0), max(round(left), 0) : max(round(right), 0)]

    left, right, top = middle - width / 2, middle + width / 2, floor - height
    scene[block(left, floor - 1, right, floor + 1)] *= 0.5  # its shadow
    scene[block(left, top + height * 0.42, right, floor)] = colour
    scene[block(left + width * 0.15, top, right - width * 0.15, top + height * 0.42)] = colour * 0.8
    scene[block(left + width * 0.22, top + height * 0.08, right - width * 0.22, top + height * 0.40)] = 0.16
    lamp = np.array([0.85, 0.15, 0.10] if lane > 0 else [0.95, 0.92, 0.75], np.float32) * (0.35 + 0.65 * night)
    for x in (left, right - width * 0.2):
        scene[block(x, top + height * 0.52, x + width * 0.2, top + height * 0.72)] = lamp


def _blur(scene: Layer) -> Layer:
    """Binomial [1 2 1] / 4 along rows and columns, edges repeated."""
    padded = np.pad(scene, ((1, 1), (1, 1), (0, 0)), mode="edge")
    across = 0.25 * padded[:, :-2] + 0.5 * padded[:, 1:-1] + 0.25 * padded[:, 2:]
    return np.asarray(0.25 * across[:-2] + 0.5 * across[1:-1] + 0.25 * across[2:], dtype=np.float32)


def _streaks(rng: np.random.Generator) -> Layer:
    """Drops falling during one exposure: slanted lines with soft ends, faint and strong, of shape (SIDE, SIDE, 1)."""
    out = np.zeros((SIDE, SIDE), np.float32)
    for _ in range(90):
        x, y, length, strength = rng.uniform(0, SIDE), rng.uniform(0, SIDE), rng.uniform(8, 20), rng.uniform(0.25, 1.0)
        along = np.arange(0, length, 0.5)
        rows, place = (y + along).astype(int) % SIDE, x + _SLANT * along
        left = np.floor(place).astype(int)
        shine = strength * np.sin(np.pi * along / length)
        for columns, part in ((left, 1 - (place - left)), (left + 1, place - left)):
            np.maximum.at(out, (rows, columns % SIDE), shine * part)
    return out[:, :, None]


assert math.gcd(SIDE, 16) == 16  # whole chroma blocks, as camera makers choose their sizes
