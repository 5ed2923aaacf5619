"""Every way to spoil a picture moves the statistic that is meant to see it, far enough for a window of thirty.

Scenes come from the demo's camera by day, so the spread is that of one place with its clouds, cars, exposure and sway.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from detectors.images.measure import measure
from detectors.layout import IMAGE_STATISTICS
from monitor.demo.camera import Camera
from monitor.demo.weather import wander

Floats: TypeAlias = NDArray[np.float64]
COUNT = 60


def encoded(scene: Floats, quality: int = 90) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=quality)
    return out.getvalue()


def decoded(data: bytes) -> Floats:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(float)


@pytest.fixture(scope="module")
def scenes() -> list[Floats]:
    camera, rng = Camera(4), np.random.default_rng(4)
    return [camera.expose(rng, 13.0, weather, int(rng.integers(3))).astype(float) for weather in wander(rng, COUNT)]


@pytest.fixture(scope="module")
def clean(scenes: list[Floats]) -> Floats:
    return np.array([measure(encoded(scene)).numbers for scene in scenes])


def rain(scene: Floats, share: float, strength: float) -> Floats:
    rng = np.random.default_rng(int(scene.sum()) % 2**32)
    kernel = np.zeros((13, 13))
    kernel[np.arange(13), np.rint(6 + 0.18 * (np.arange(13) - 6)).astype(int)] = 1
    streaks = np.clip(ndimage.convolve((rng.random(scene.shape[:2]) < share).astype(float), kernel), 0, 1)[:, :, None]
    return scene * (1 - strength * streaks) + 220 * strength * streaks


def resized(scene: Floats, side: int) -> Floats:
    image = Image.fromarray(scene.astype(np.uint8))
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR).resize(image.size, Image.Resampling.BILINEAR)).astype(float)


Spoil: TypeAlias = Callable[[Floats], bytes]
SPOILT: list[tuple[str, Spoil, str, int]] = [
    ("rain", lambda s: encoded(rain(s, 0.004, 0.6)), "anisotropy", +1),
    ("light rain", lambda s: encoded(rain(s, 0.0015, 0.4)), "anisotropy", +1),
    ("fog", lambda s: encoded(0.65 * s + 0.35 * 220), "haze", +1),
    ("fog takes colour", lambda s: encoded(0.65 * s + 0.35 * 220), "colourfulness", -1),
    ("blur", lambda s: encoded(ndimage.gaussian_filter(s, (1, 1, 0))), "sharpness", -1),
    ("sideways motion", lambda s: encoded(ndimage.uniform_filter1d(s, 7, axis=1)), "anisotropy", -1),
    ("noise", lambda s: encoded(s + np.random.default_rng(0).normal(0, 8, s.shape)), "noise", +1),
    ("new encoder", lambda s: encoded(s, 60), "quality", -1),
    ("new encoder, in the pixels", lambda s: encoded(s, 60), "blockiness", +1),
    ("encoded twice", lambda s: encoded(decoded(encoded(s, 60))), "blockiness", +1),
    ("encoded twice, hard", lambda s: encoded(decoded(encoded(s, 30))), "sharpness", -1),
    ("half the resolution", lambda s: encoded(resized(s, 48)), "sharpness", -1),
    ("resized a little", lambda s: encoded(resized(s, 77)), "sharpness", -1),
    ("brighter", lambda s: encoded(s + 25), "brightness", +1),
    ("less contrast", lambda s: encoded((s - s.mean()) * 0.7 + s.mean()), "contrast", -1),
    ("warm white balance", lambda s: encoded(s * [1.12, 1.0, 0.88]), "colour_balance", -1),
    ("less colour", lambda s: encoded(0.6 * s + 0.4 * s.mean(axis=2, keepdims=True)), "colourfulness", -1),
    ("channels swapped", lambda s: encoded(s[:, :, ::-1]), "colour_balance", -1),
]


@pytest.mark.parametrize(("spoil", "statistic", "direction"), [row[1:] for row in SPOILT], ids=[row[0] for row in SPOILT])
def test_a_window_of_thirty_sees_it(scenes: list[Floats], clean: Floats, spoil: Spoil, statistic: str, direction: int) -> None:
    place = IMAGE_STATISTICS.index(statistic)
    spoilt = np.array([measure(spoil(scene)).numbers[place] for scene in scenes])
    # half a level or one step of quality is what a constant could hide
    sd = max(float(clean[:, place].std()), 1e-3)
    moved = direction * float(spoilt.mean() - clean[:, place].mean()) / sd
    assert moved * np.sqrt(30) > 4.5, "4.5 window standard deviations: one window a month is there by chance"


def test_lens_dirt_is_seen_on_a_fixed_camera(scenes: list[Floats], clean: Floats) -> None:
    smear = ndimage.gaussian_filter(np.random.default_rng(2).random((96, 96)), 5)
    dirt = (smear > np.quantile(smear, 0.95))[:, :, None]
    spoilt = np.array([measure(encoded(np.where(dirt, s * 0.25, s))).numbers for s in scenes])
    moved = (spoilt.mean(axis=0) - clean.mean(axis=0)) / np.maximum(clean.std(axis=0), 1e-3) * np.sqrt(30)
    assert (np.abs(moved) > 4.5).sum() >= 1


def test_what_is_not_spoilt_does_not_move(scenes: list[Floats], clean: Floats) -> None:
    again = np.array([measure(encoded(s + np.random.default_rng(1).normal(0, 0.3, s.shape))).numbers for s in scenes])
    moved = np.abs(again.mean(axis=0) - clean.mean(axis=0)) / np.maximum(clean.std(axis=0), 1e-3)
    assert (moved < 0.3).all(), dict(zip(IMAGE_STATISTICS, moved.round(2), strict=True))
