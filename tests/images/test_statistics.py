"""The formulas on pictures simple enough to know the answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.images.blocks import blockiness
from detectors.images.colour import colour_balance, colourfulness
from detectors.images.light import Luma, Pixels, brightness_contrast, haze, luma
from detectors.images.texture import texture

RNG = np.random.default_rng(11)


def flat(colour: tuple[int, int, int], side: int = 32) -> Pixels:
    return np.full((side, side, 3), colour, dtype=np.uint8)


def noisy(sd: float, side: int = 96) -> Luma:
    return (128 + sd * np.random.default_rng(3).standard_normal((side, side))).astype(np.float32)


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_a_constant_picture_is_calm(level: int) -> None:
    pixels = flat((level,) * 3)
    grey = luma(pixels)
    brightness, contrast = brightness_contrast(grey)
    assert brightness == pytest.approx(level, abs=1e-3)
    assert contrast == pytest.approx(0, abs=1e-3)
    assert haze(pixels) == level
    assert colour_balance(pixels) == 0
    assert colourfulness(pixels, grey) == pytest.approx(-math.log(level + 1), abs=1e-4)
    near = texture(grey)
    assert near.noise == pytest.approx(0, abs=1e-3)
    assert near.sharpness == pytest.approx(0, abs=1e-3)
    assert near.anisotropy == pytest.approx(0, abs=1e-3)
    assert blockiness(grey) == pytest.approx(0, abs=1e-3)


def test_luma_is_what_jpeg_encodes() -> None:
    assert luma(flat((100, 0, 0)))[0, 0] == pytest.approx(29.9, abs=1e-3)
    assert luma(flat((0, 100, 0)))[0, 0] == pytest.approx(58.7, abs=1e-3)
    assert luma(flat((0, 0, 100)))[0, 0] == pytest.approx(11.4, abs=1e-3)


def test_a_checkerboard_has_the_contrast_of_its_fields_and_no_direction() -> None:
    board = ((np.add.outer(np.arange(64), np.arange(64)) % 2) * 100).astype(np.float32)
    assert brightness_contrast(board) == (50.0, 50.0)
    near = texture(board)
    assert near.noise == pytest.approx(math.log1p(800), abs=1e-3), "the weights of N add up to 16 in size, each field is 50 from the mean"
    assert near.sharpness == pytest.approx(math.log(800 / 200), abs=1e-2), "nothing is finer: 800 where both first differences are 100"
    assert near.anisotropy == pytest.approx(0, abs=1e-6)
    assert blockiness(board) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("period", [2, 3, 4, 7])
def test_stripes_have_a_direction(period: int) -> None:
    stripes = np.tile((np.arange(64) % period < (period + 1) // 2) * 120.0, (64, 1)).astype(np.float32)
    assert texture(stripes).anisotropy > 0.3
    assert texture(stripes.T).anisotropy == pytest.approx(-texture(stripes).anisotropy, abs=1e-5)


def test_faint_streaks_are_not_outshouted_by_one_strong_edge() -> None:
    scene = noisy(2.0)
    scene[48:] += 100
    rain = scene.copy()
    rain[:, ::9] += 12
    assert texture(rain).anisotropy > texture(scene).anisotropy + 0.1


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_blocks_of_eight_are_seen_and_others_are_not(axes: tuple[int, ...]) -> None:
    def blocks(side: int) -> Luma:
        count = 96 // side + 1
        levels = np.random.default_rng(side).normal(0, 8, [count if axis in axes else 1 for axis in (0, 1)])
        for axis in axes:
            levels = np.repeat(levels, side, axis=axis)
        return np.asarray(noisy(2.0) + levels[:96, :96], dtype=np.float32)

    assert blockiness(blocks(8)) > 0.25
    for other in (5, 7, 9, 11):
        assert abs(blockiness(blocks(other))) < 0.15, f"blocks of {other} are not JPEG's"


def test_blocks_off_the_grid_are_not_the_encoders() -> None:
    scene = noisy(2.0, 104) + np.kron(RNG.normal(0, 8, (13, 13)), np.ones((8, 8)))
    assert blockiness(scene[:96, :96].astype(np.float32)) > 0.25
    assert blockiness(scene[3:99, 3:99].astype(np.float32)) < 0


@pytest.mark.parametrize("sd", [1.0, 3.0, 9.0])
def test_noise_grows_with_noise_alone(sd: float) -> None:
    assert texture(noisy(2 * sd)).noise - texture(noisy(sd)).noise > 0.4
    ramp = np.add.outer(np.arange(96) * 0.7, np.arange(96) * 1.3).astype(np.float32)
    assert texture(noisy(sd) + ramp).noise == pytest.approx(texture(noisy(sd)).noise, abs=1e-3), "a slope is not noise"


def test_sharpness_falls_with_blur_and_not_with_exposure() -> None:
    scene = noisy(20.0)
    blurred = ((scene[:-1] + scene[1:]) / 2).astype(np.float32)
    assert texture(blurred).sharpness < texture(scene).sharpness - 0.2
    assert texture((scene * 0.6).astype(np.float32)).sharpness == pytest.approx(texture(scene).sharpness, abs=0.02)


def test_haze_needs_everything_to_be_pale() -> None:
    pixels = flat((200, 180, 160), 40)
    assert haze(pixels) == 160
    pixels[:2] = 0  # a twentieth of the picture is dark
    assert haze(pixels) == 0
    assert haze(np.asarray(pixels * 0.65 + 0.35 * 220, dtype=np.uint8)) == 77


def test_colour_balance_is_antisymmetric_in_red_and_blue() -> None:
    pixels = RNG.integers(0, 256, (20, 20, 3), dtype=np.uint8)
    assert colour_balance(pixels[:, :, ::-1]) == pytest.approx(-colour_balance(pixels), abs=1e-9)


def test_colourfulness_of_half_red_half_blue() -> None:
    pixels = flat((100, 0, 0))
    pixels[:, 16:] = (0, 0, 100)
    # rg: 100 and 0, yb: 50 and -100: sd 50 and 75, means 50 and -25; mean grey (29.9 + 11.4) / 2
    expected = math.log((math.hypot(50, 75) + 0.3 * math.hypot(50, 25) + 1) / (20.65 + 1))
    assert colourfulness(pixels, luma(pixels)) == pytest.approx(expected, abs=1e-4)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_every_shape_has_an_answer(rows: int, columns: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), dtype=np.uint8)
    grey = luma(pixels)
    near = texture(grey)
    for value in (*brightness_contrast(grey), haze(pixels), colour_balance(pixels), colourfulness(pixels, grey)):
        assert math.isfinite(value)
    assert math.isfinite(near.noise) == math.isfinite(near.sharpness) == (min(rows, columns) >= 3)
    assert math.isfinite(near.anisotropy) == (min(rows, columns) >= 4)
    assert math.isfinite(blockiness(grey)) == (min(rows, columns) >= 16)
