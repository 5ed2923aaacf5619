"""What every mergeable summary owes: the promise that makes panes, workers, restarts and backtests one thing."""

from __future__ import annotations

from typing import ClassVar, Protocol, Self, runtime_checkable


@runtime_checkable
class Summary(Protocol):
    """A fold of one column that adds up.

    Laws, tested over every summary found in `detectors/summaries`: zero is neutral, merge is associative and commutative,
    the fold of the whole equals the merge of the parts whatever the batches, merge mutates nobody, and
    `unpack(pack(s))` equals s.
    """

    kind: ClassVar[str]

    def merge(self, other: Self) -> Self: ...

    def pack(self) -> bytes: ...

    @classmethod
    def unpack(cls, data: bytes) -> Self: ...
