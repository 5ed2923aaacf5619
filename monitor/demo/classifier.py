"""A small real classifier: one hidden layer over the pixels around the traffic light, trained with Adam in plain numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from monitor.demo.street import LAMPS, MARGIN

LABELS: tuple[str, ...] = ("red", "amber", "green")
Array: TypeAlias = NDArray[np.float32]
_LEFT, _RIGHT = int(LAMPS[0][0]) - MARGIN - 7, int(LAMPS[0][0]) - MARGIN + 8
_TOP, _BOTTOM = int(LAMPS[0][1]) - MARGIN - 7, int(LAMPS[-1][1]) - MARGIN + 8


@dataclass(frozen=True, slots=True)
class Classifier:
    """Weights of shapes (pixels, hidden) and (hidden, 3); `middle` and `spread` bring a clean patch to zero mean and unit variance."""

    middle: Array
    spread: Array
    w1: Array
    b1: Array
    w2: Array
    b2: Array

    def probabilities(self, pixels: NDArray[np.uint8]) -> Array:
        """Softmax over `LABELS` for pictures of shape (n, rows, columns, 3)."""
        hidden = np.maximum((patches(pixels) - self.middle) / self.spread @ self.w1 + self.b1, 0)
        return _softmax(hidden @ self.w2 + self.b2)


def patches(pixels: NDArray[np.uint8]) -> Array:
    """The part of each picture that holds the light, flattened to shape (n, values)."""
    return np.asarray(pixels[:, _TOP:_BOTTOM, _LEFT:_RIGHT].reshape(len(pixels), -1), dtype=np.float32)


def fit(rng: np.random.Generator, pixels: NDArray[np.uint8], truth: NDArray[np.int64], hidden: int = 48, epochs: int = 40) -> Classifier:
    """Least cross-entropy with weight decay by Adam, in batches of 64.

    `pixels` (n, rows, columns, 3), `truth` (n,) indices into `LABELS`.

    Source: Kingma, Ba, Adam: a method for stochastic optimization, 2015.
    """
    x = patches(pixels)
    middle, spread = x.mean(axis=0), x.std(axis=0) + 4.0  # four levels: a pixel that never changes is not blown up
    x = (x - middle) / spread
    y = np.eye(len(LABELS), dtype=np.float32)[truth]
    weights = [
        (rng.normal(size=(x.shape[1], hidden)) * np.sqrt(1 / x.shape[1])).astype(np.float32),
        np.zeros(hidden, np.float32),
        (rng.normal(size=(hidden, len(LABELS))) * np.sqrt(2 / hidden)).astype(np.float32),
        np.zeros(len(LABELS), np.float32),
    ]
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    step = 0
    for epoch in range(epochs):
        rate = 0.002 * (1 - epoch / epochs)  # down to nothing, so that the last batches do not decide
        for batch in np.array_split(rng.permutation(len(x)), max(len(x) // 64, 1)):
            step += 1
            for i, gradient in enumerate(_gradients(weights, x[batch], y[batch])):
                first[i] = 0.9 * first[i] + 0.1 * gradient
                second[i] = 0.999 * second[i] + 0.001 * gradient**2
                weights[i] -= rate * (first[i] / (1 - 0.9**step)) / (np.sqrt(second[i] / (1 - 0.999**step)) + 1e-8)
    return Classifier(middle, spread, *weights)


def _gradients(weights: list[Array], x: Array, y: Array) -> list[Array]:
    w1, b1, w2, b2 = weights
    hidden = np.maximum(x @ w1 + b1, 0)
    wrong = (_softmax(hidden @ w2 + b2) - y) / len(x)
    back = (wrong @ w2.T) * (hidden > 0)
    return [x.T @ back + 1e-3 * w1, back.sum(axis=0), hidden.T @ wrong + 1e-3 * w2, wrong.sum(axis=0)]


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
