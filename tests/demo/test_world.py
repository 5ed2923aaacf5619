"""The demo's world keeps its story: the model learns, harm harms, the control does not, and the same seed tells it again."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from monitor.demo.classifier import LABELS
from monitor.demo.story import STORY, Episode, Story
from monitor.demo.weather import CONTROL_EXPOSURE, light, wander
from monitor.demo.world import Hour, Report, World

DAY = 24


@pytest.fixture(scope="module", params=[0, 1])
def told(request: pytest.FixtureRequest) -> tuple[World, Report]:
    world = World(request.param)
    return world, world.train()


def accuracy(world: World, hours: range) -> float:
    return float(np.mean([world.hour(k).accuracy for k in hours]))


def test_the_model_is_good_on_days_it_never_saw(told: tuple[World, Report]) -> None:
    world, report = told
    assert report.accuracy >= 0.95
    assert report.held_out_pictures >= 500
    assert accuracy(world, range(14 * DAY, 15 * DAY)) >= 0.95


@pytest.mark.parametrize("episode", STORY.episodes, ids=lambda e: e.name)
def test_only_harm_harms(told: tuple[World, Report], episode: Episode) -> None:
    world, _ = told
    before = accuracy(world, range(14 * DAY, 15 * DAY))
    during = accuracy(world, range(episode.start, min(episode.end, episode.start + DAY)))
    if episode.harmful:
        assert before - during >= 0.10
    else:
        assert before - during < 0.03


def test_every_request_is_answered(told: tuple[World, Report]) -> None:
    world, _ = told
    for index in (3, STORY.episodes[0].start, STORY.episodes[2].start):
        hour = world.hour(index)
        assert len(hour.shots) == STORY.pictures
        assert hour.start_ms == STORY.start_ms + index * STORY.window_ms
        times = [shot.time_ms for shot in hour.shots]
        assert times == sorted(set(times))
        assert hour.start_ms <= times[0]
        assert times[-1] < hour.start_ms + STORY.window_ms
        for shot in hour.shots:
            assert shot.predicted == LABELS[int(np.argmax(shot.probabilities))]
            assert sum(shot.probabilities) == pytest.approx(1, abs=2e-4)
            with Image.open(io.BytesIO(shot.jpeg)) as image:
                assert (image.format, image.size) == ("JPEG", (96, 96))


def test_the_same_seed_tells_the_same_story_in_any_order() -> None:
    def hours(seed: int, order: list[int]) -> dict[int, Hour]:
        world = World(seed)
        world.train(pictures=200, held_out=20)
        return {k: world.hour(k) for k in order}

    rain, low = STORY.episodes[0].start, STORY.episodes[2].start
    first, again, other = hours(2, [5, rain, low]), hours(2, [low, 5, rain]), hours(3, [5])
    assert first == again
    assert other[5].shots[0].jpeg != first[5].shots[0].jpeg


def test_the_story_is_as_long_as_it_is_told() -> None:
    assert STORY.windows == 21 * DAY
    assert STORY.reference == 14 * DAY
    assert STORY.windows * STORY.pictures == 12_096
    assert STORY.start_ms % (DAY * STORY.window_ms) == 0, "windows of a day begin at midnight"
    ends = STORY.reference
    for episode in STORY.episodes:
        assert ends <= episode.start < episode.end <= STORY.windows, "nothing happens while raincheck learns, nor two things at once"
        ends = episode.end
    assert [STORY.episode(k) for k in (0, STORY.reference)] == [None, None]


def test_the_control_is_nothing_new() -> None:
    seen = np.array([weather.gain for weather in wander(np.random.default_rng([0, 2]), STORY.reference)])
    assert (seen == CONTROL_EXPOSURE).mean() > 0.05, "clean hours had this very setting"
    assert (seen > CONTROL_EXPOSURE).mean() > 0.05, "and went further"


def test_the_day_has_light_and_dark() -> None:
    hours = np.arange(0, 24, 0.25)
    night = np.array([light(h, 0.3).night for h in hours])
    assert night[(hours > 9) & (hours < 17)].max() == 0
    assert night[(hours < 4.5) | (hours > 21.5)].min() == 1
    assert np.abs(np.diff(night)).max() < 0.35, "the sun does not jump"
    for h in hours:
        for value in (*light(h, 0.0).ambient, *light(h, 1.0).sky):
            assert 0 <= value <= 1.2


def test_hours_outside_the_story_are_refused() -> None:
    world = World(0)
    with pytest.raises(ValueError, match="0 to 503"):
        world.hour(504)
    with pytest.raises(RuntimeError, match="train"):
        world.hour(0)


def test_a_shorter_story_is_another_story() -> None:
    story: Story = replace(STORY, windows=30, reference=24, episodes=(Episode("re-encoding", 26, 30, harmful=True),))
    world = World(1, story)
    world.train(pictures=200, held_out=20)
    assert len(world.hour(27).shots[0].jpeg) < len(world.hour(3).shots[0].jpeg) / 2
