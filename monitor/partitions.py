"""The inputs that are about partitions: which are read, where they go on, what of them was lost unread, who is silent.

Each that can change a verdict is recorded with the positions at which it takes effect, and whatever moves a partition is saved
with it, or a restart would begin elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from monitor.changes import Changes, InputRow
from monitor.checkpoint import crosses, mark_of
from monitor.fold import Fold
from monitor.plan import Plan
from monitor.standing import Standing
from monitor.tears import Reader
from monitor.watermark import Watermark


class Partitions(ABC):
    """The half of an engine that knows where its records come from; the other half (monitor.engine) closes windows."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.watermark = Watermark()
        self.fold = Fold(plan)
        self.standings: dict[str, Standing] = {}
        self._changes = Changes()
        self._next_input = 0
        self._untold: set[str] = set()  # partitions whose mark a tick may have moved that was not recorded

    @abstractmethod
    def close(self) -> None:
        """Closes what the partitions have passed."""

    # ---- inputs

    def assign(self, partitions: Iterable[str]) -> None:
        """Partitions that are read from now on: windows wait for them. A mapping tells the offsets they begin at."""
        starts = partitions if isinstance(partitions, Mapping) else dict.fromkeys(partitions, 0)
        new = {name: start for name, start in starts.items() if name not in self.watermark.positions}
        self.watermark.assign(new)
        if new:
            self._input("assigned", "", 0, {"starts": new})
            self._mark(*new)  # or a restart would begin elsewhere

    def moved(self, partition: str, next_offset: int) -> None:
        """A partition goes on elsewhere than after its last slice: saved with the count of what that cost, or it would be counted again."""
        if self.watermark.stuck(partition) != next_offset:  # a restart comes to the batch that stopped it again
            self.unblocked(partition)
        if self.watermark.move(partition, next_offset):
            self._mark(partition)

    def torn(self, partition: str, next_offset: int, why: str, at_ms: int) -> None:
        """Records of this partition were lost unread, and it goes on there: windows that may have held them are partial (monitor.tears)."""
        self._tell(at_ms, [partition])
        self._input("torn", "", at_ms, {"partition": partition, "next_offset": next_offset, "why": why})
        self.watermark.tear(partition, why, at_ms, self._readers(partition))
        self.moved(partition, next_offset)
        self._mark(partition)

    def restart(self, partitions: Iterable[str], why: str, at_ms: int) -> None:
        """The logs behind these partitions are others now: their offsets begin anew, what was counted stays, what was unread is lost."""
        names = sorted(partitions)
        self._tell(at_ms, [name for name in self.watermark.positions if name.rpartition("/")[0] == names[0].rpartition("/")[0]])
        self._input("restart", "", at_ms, {"partitions": names, "why": why})
        gone = self.watermark.restart(names, why, at_ms, self._readers(names[0]))
        for name in gone:
            self.fold.forget(name)
        self._mark(*names, *gone)

    def blocked(self, partition: str, why: str, at_ms: int) -> None:
        """A batch of this partition cannot be opened: windows close without it, marked as partial, and its models' owners hear of it."""
        if self.watermark.block(partition):
            self._input("blocked", "", at_ms, {"partition": partition, "why": why})
            self._mark(partition)
        self.close()

    def unblocked(self, partition: str) -> None:
        """It can be read again, and is waited for from where it stood."""
        if self.watermark.unblock(partition):
            self._input("unblocked", "", 0, {"partition": partition})
            self._mark(partition)

    def tick(self, now_ms: int, reached: Mapping[str, tuple[int, int]]) -> None:
        """Releases silent partitions (monitor.watermark); what that lets close is closed, and the release is recorded."""
        before = {name: position.mark_ms for name, position in self.watermark.positions.items()}
        released: dict[str, int] = {}
        for model in sorted(self.plan.models):
            released |= self.watermark.release(self._gates(model), now_ms, reached)
        if released:
            self.release(released)
            self._untold |= released.keys()
            if any(crosses(self.plan.models.values(), before[name], mark_ms) for name, mark_ms in released.items()):
                self._tell(now_ms, released)

    def release(self, marks: Mapping[str, int]) -> None:
        """Silent partitions pass these event times; what that lets close is closed."""
        for partition, mark_ms in marks.items():
            self.watermark.positions[partition].mark_ms = mark_ms
            self.fold.release(partition, mark_ms)
            self._mark(partition)
        self.close()

    # ---- bookkeeping

    def positions(self) -> dict[str, int]:
        """Where each partition goes on."""
        return {name: position.next_offset for name, position in self.watermark.positions.items() if position.placed}

    def _gates(self, model: str) -> list[str]:
        streams = set(self.plan.gating_streams(model))
        return [p for p in self.watermark.positions if p.rpartition("/")[0] in streams]

    def _readers(self, partition: str) -> list[Reader]:
        names = [name for name in self.plan.models if partition.rpartition("/")[0] in self.plan.gating_streams(name)]
        return [(self.plan.models[name], self.standings[name].next_ms) for name in names]

    def _tell(self, at_ms: int, partitions: Iterable[str]) -> None:
        """Records how far these were released. A tick that crosses no window is not, but which windows a tear touches is told from it."""
        marks = {name: self.watermark.positions[name].mark_ms for name in partitions if name in self._untold}
        if marks:
            self._input("tick", "", at_ms, {"released": marks})
            self._untold -= marks.keys()

    def _mark(self, *partitions: str) -> None:
        at = self.watermark.positions
        self._changes.marks |= {name: mark_of(at[name]) if name in at else None for name in partitions}

    def _input(self, kind: str, model: str, at_ms: int, body: dict[str, Any]) -> None:
        self._changes.inputs.append(InputRow(self._next_input, kind, model, at_ms, {**body, "offsets": self.positions()}))
        self._next_input += 1
