"""Weights of groups and statistics: fixed before any data is seen, which is what makes averaging evidence valid."""

from __future__ import annotations

from detectors.layout import Group

# shares of the model; those of absent groups go to the present ones in proportion
GROUPS: dict[Group, float] = {"inputs": 0.30, "predictions": 0.25, "images": 0.15, "embeddings": 0.15, "labels": 0.10}

# (statistic, cadence in windows) -> share within one column
NUMERIC: dict[tuple[str, int], float] = {
    ("location", 1): 0.30, ("scale", 1): 0.20, ("skew", 1): 0.10, ("tails", 1): 0.10,
    ("shape", 1): 0.06, ("shape", 12): 0.03, ("shape", 72): 0.01, ("spike", 1): 0.03, ("spike", 12): 0.02,
    ("missing", 1): 0.05, ("invalid", 1): 0.03, ("out of range", 1): 0.07,
}  # fmt: skip
PICTURE: dict[tuple[str, int], float] = {
    ("location", 1): 0.50, ("scale", 1): 0.18, ("skew", 1): 0.03, ("tails", 1): 0.03,
    ("shape", 1): 0.01, ("shape", 12): 0.01, ("spike", 1): 0.01, ("spike", 12): 0.01,
    ("missing", 1): 0.01, ("invalid", 1): 0.01, ("out of range", 1): 0.20,
}  # fmt: skip
CATEGORICAL: dict[tuple[str, int], float] = {
    ("categories", 1): 0.15, ("mix", 1): 0.10, ("categories", 12): 0.15, ("categories", 72): 0.05,
    ("level", 1): 0.25, ("unseen", 1): 0.15, ("missing", 1): 0.10, ("invalid", 1): 0.05,
}  # fmt: skip
CADENCES = (1, 12, 72)
LEVELS = 8  # top levels with a stream of their own share the weight of ("level", 1)


def column_weights(kind: str, group: Group) -> dict[tuple[str, int], float]:
    """Shares of one column's streams.

    >>> column_weights("numeric", "images")["location", 1]
    0.5
    """
    if kind == "categorical":
        return CATEGORICAL
    return PICTURE if group == "images" else NUMERIC
