"""Which columns a schema column turns into: a picture becomes its statistics, a vector its projections, a number stays itself.

>>> [c.name for c in columns_of("speed", "numeric", "inputs")]
['speed']
>>> columns_of("frame", "image", "inputs")[0].subject
'frame'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["numeric", "categorical", "image", "embedding", "probabilities"]
Group: TypeAlias = Literal["inputs", "predictions", "images", "embeddings", "labels"]

# Statistics of one picture and of one vector, in the order in which their measuring functions return them.
IMAGE_STATISTICS: tuple[str, ...] = (
    "brightness", "contrast", "haze", "colour_balance", "colourfulness", "noise", "sharpness", "anisotropy", "blockiness", "quality",
)  # fmt: skip
IMAGE_CATEGORIES: tuple[str, ...] = ("format", "size")
EMBEDDING_STATISTICS: tuple[str, ...] = ("norm", *(f"projection_{i}" for i in range(8)))
PROBABILITY_STATISTICS: tuple[str, ...] = ("confidence", "entropy")


@dataclass(frozen=True, slots=True)
class Column:
    """One folded column: `subject` is the schema column it speaks for, `statistic` what of it ("" = the value itself)."""

    name: str
    subject: str
    statistic: str
    kind: Literal["numeric", "categorical"]
    role: Literal["inputs", "predictions"]
    group: Group


def columns_of(name: str, kind: Kind, role: Literal["inputs", "predictions"]) -> list[Column]:
    """Columns folded for one schema column; class probabilities speak for the prediction."""

    def expand(subject: str, numeric: tuple[str, ...], categorical: tuple[str, ...], group: Group) -> list[Column]:
        return [Column(f"{name}.{s}", subject, s, "numeric", role, group) for s in numeric] + [
            Column(f"{name}.{s}", subject, s, "categorical", role, group) for s in categorical
        ]

    if kind == "image":
        return expand(name, IMAGE_STATISTICS, IMAGE_CATEGORIES, "images")
    if kind == "embedding":
        return expand(name, EMBEDDING_STATISTICS, (), "embeddings")
    if kind == "probabilities":
        return expand("prediction", PROBABILITY_STATISTICS, (), "predictions")
    return [Column(name, name, "", kind, role, "predictions" if role == "predictions" else "inputs")]
