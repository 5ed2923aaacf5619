"""The world of the demo: a traffic-light camera and the service that reads it, hour by hour, the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detectors.images.decode import Refused, decode
from monitor.demo.camera import LOW_QUALITY, QUALITY, Camera
from monitor.demo.classifier import LABELS, Classifier, fit
from monitor.demo.story import STORY, Episode, Story
from monitor.demo.weather import CONTROL_EXPOSURE, Weather, wander

_SHARES = (0.42, 0.16, 0.42)  # how long red, amber and green last


@dataclass(frozen=True, slots=True)
class Shot:
    """One request to the service and its reply. `truth` is known to the world alone; nobody tells raincheck."""

    time_ms: int
    jpeg: bytes
    truth: str
    predicted: str
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Hour:
    """One window's shots in order of time, and the episode they belong to, if any."""

    index: int
    start_ms: int
    shots: tuple[Shot, ...]
    episode: Episode | None

    @property
    def accuracy(self) -> float:
        return sum(s.truth == s.predicted for s in self.shots) / len(self.shots)


@dataclass(frozen=True, slots=True)
class Report:
    """How the classifier did at start-up: shares of right answers, and how many pictures it learnt from."""

    accuracy: float
    training_accuracy: float
    training_pictures: int
    held_out_pictures: int


class World:
    """`train` once, then `hour` in any order: each hour has random numbers of its own, named by seed and index."""

    def __init__(self, seed: int = 0, story: Story = STORY) -> None:
        self.seed = seed
        self.story = story
        self._camera = Camera(seed)
        self._weather = wander(np.random.default_rng([seed, 2]), story.windows)
        self._classifier: Classifier | None = None

    def train(self, pictures: int = 2400, held_out: int = 800) -> Report:
        """Render clean pictures of other days than the story's, learn from `pictures`, and be judged on `held_out` never learnt from."""
        pixels, truth = self._lesson(3, pictures)
        unseen, answers = self._lesson(4, held_out)
        classifier = fit(np.random.default_rng([self.seed, 5]), pixels, truth)
        self._classifier = classifier

        def share(x: NDArray[np.uint8], y: NDArray[np.int64]) -> float:
            return float((classifier.probabilities(x).argmax(axis=1) == y).mean())

        return Report(share(unseen, answers), share(pixels, truth), len(truth), len(answers))

    def hour(self, index: int) -> Hour:
        """Hour `index` of the story, 0 to `story.windows` - 1.

        Raises ValueError outside the story, RuntimeError before `train`.
        """
        if not 0 <= index < self.story.windows:
            raise ValueError(f"hour {index} is outside the story: 0 to {self.story.windows - 1}")
        if self._classifier is None:
            raise RuntimeError("the service has no model yet: call train() first")
        episode = self.story.episode(index)
        name = None if episode is None else episode.name
        rng = np.random.default_rng([self.seed, 6, index])
        weather = _during(name, self._weather[index], rng)
        quality = LOW_QUALITY if name == "re-encoding" else QUALITY
        start_ms = self.story.start_ms + index * self.story.window_ms
        step_ms = self.story.window_ms // self.story.pictures
        truth = rng.choice(len(LABELS), self.story.pictures, p=_SHARES)
        times = [start_ms + i * step_ms for i in range(self.story.pictures)]
        jpegs = [
            self._camera.picture(rng, index + (t - start_ms) / self.story.window_ms, weather, lit, quality)
            for t, lit in zip(times, truth.tolist(), strict=True)
        ]
        replies = self._classifier.probabilities(np.stack([_pixels(j) for j in jpegs]))
        shots = tuple(
            Shot(t, j, LABELS[lit], LABELS[int(p.argmax())], tuple(round(float(v), 4) for v in p))
            for t, j, lit, p in zip(times, jpegs, truth.tolist(), replies, strict=True)
        )
        return Hour(index, start_ms, shots, episode)

    def _lesson(self, part: int, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        rng = np.random.default_rng([self.seed, part])
        weather = wander(rng, count)
        truth = rng.integers(0, len(LABELS), count)  # amber as often as the others: it is rare on the street, not less important
        jpegs = [
            self._camera.picture(rng, float(i + rng.random()), w, int(lit)) for i, (w, lit) in enumerate(zip(weather, truth, strict=True))
        ]
        return np.stack([_pixels(j) for j in jpegs]), truth


def _during(name: str | None, clean: Weather, rng: np.random.Generator) -> Weather:
    if name == "rain":
        return replace(clean, cloud=max(clean.cloud, 0.9), rain=float(rng.uniform(0.9, 1.1)))
    if name == "exposure":
        return replace(clean, gain=CONTROL_EXPOSURE)
    return clean


def _pixels(jpeg: bytes) -> NDArray[np.uint8]:
    """The service decodes what it is sent, as it was sent."""
    picture = decode(jpeg)
    assert not isinstance(picture, Refused), picture
    return picture.pixels
