"""Our consumer group: offsets are committed to it for lag tools, and read back only to learn who else commits under it.

Reading begins where our own state says, whatever is found here. A look costs one request of the group's coordinator, just before a
commit: then the time since our last one, in which another daemon would have written, is as long as it gets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Protocol

from monitor import wall
from monitor.log import events
from monitor.sources.signature import Company, drawn, left_behind, signature_of
from monitor.sources.source import Forgotten, Note

log = events("source")
LOOK_S: Final = 30.0
UNKNOWN_PAST: Final = (
    "nobody knows whether this empty state is the group's first; where it is not, what the former one knew is learnt again"
)
TRIES: Final = 3  # at the first placement, then before commits: what is not known by then is not worth commits that are not made


class Coordinator(Protocol):
    """Where a group's offsets are kept, as {partition: ...}. Both raise whatever an outage raises."""

    def commit(self, offsets: Mapping[str, int], metadata: str) -> None: ...

    def committed(self, partitions: Collection[str]) -> Mapping[str, tuple[int, str]]:
        """Offset and metadata of those that have any."""
        ...


class Group:
    """Commits and looks of one life. `part` is "index/count" of the plan's shard; a group without a name does nothing.

    `other` names who else commits under the group, None while nobody is known to.
    """

    def __init__(self, name: str, part: str = "0/1", look_s: float = LOOK_S) -> None:
        self.name = name
        self.other: str | None = None
        self._mine = drawn(part)
        self._look_s = look_s
        self._look_at = 0.0
        self._company = Company()
        self._written: set[str] = set()  # since the last look
        self._unasked: set[str] = set()  # partitions without a position, whose past is not known yet
        self._tries = 0

    def recall(self, coordinator: Coordinator, unread: Collection[str] = ()) -> list[Note]:
        """Whether the group remembers partitions of which our state, which is empty, knows nothing.

        Where that fails it is asked again before the next commits, which would write over what is there.
        """
        self._unasked |= set(unread)
        if not self.name or not self._unasked:
            return []
        self._tries += 1
        try:
            found = coordinator.committed(self._unasked)
        except Exception:
            if self._tries == TRIES:
                log.warning("group_not_asked", group=self.name, tries=TRIES, means=UNKNOWN_PAST)
                self._asked()
            raise
        self._asked()
        lost = left_behind(self._mine, {partition: metadata for partition, (_, metadata) in found.items()})
        if not lost:
            return []
        return [Forgotten({partition: found[partition][0] for partition in lost}, signature_of(found[lost[0]][1]).who)]

    def _asked(self) -> None:
        self._unasked.clear()
        self._tries = 0

    def commit(self, coordinator: Coordinator, offsets: Mapping[str, int]) -> None:
        """Look around where it is time, then write. What fails ends it there, so that an outage costs no more than one of the two."""
        now = wall.monotonic()
        if self._written and now >= self._look_at:
            self._look_at = now + self._look_s
            found = coordinator.committed(self._written)
            self._company = self._company.after(self._mine, self._written, {name: metadata for name, (_, metadata) in found.items()})
            self.other = self._company.other
            self._written.clear()
        coordinator.commit(offsets, self._mine.text)
        self._written |= offsets.keys()
