"""What has befallen this process that a person should act on, in sentences: for pages whose readers have neither metrics nor log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from monitor.phrases import counted
from monitor.sources.source import Forgotten, Gap, Note, Rewound

HOW: Final = {
    "retention": "deleted before they were read",
    "poison": "in batches that cannot be opened",
    "rewound": "in a log that was cut",
}  # by reason, how records were lost
TWICE: Final = "it commits under our group (kafka.group): what both watch is judged twice and paged twice"
ONE: Final = "stop the one that is not meant; where both are, give one a kafka.group of its own"


class Troubles:
    """Told by the engine's thread, looked at by any; `another` is who else reads for our group, while there is one."""

    def __init__(self) -> None:
        self.another: str | None = None
        self._forgotten: Forgotten | None = None
        self._lost: Counter[tuple[str, str]] = Counter()

    def noted(self, note: Note) -> None:
        """Keeps what a note of the source tells for as long as this process lives."""
        match note:
            case Gap():
                self._lost[note.stream, note.reason] += note.stop - note.start
            case Rewound():
                self._lost[note.stream, "rewound"] += note.position - note.start
            case Forgotten():
                self._forgotten = note

    def words(self) -> Mapping[str, str]:
        """Each trouble under the name that it has in the log, with what it means and what to do.

        >>> troubles = Troubles()
        >>> troubles.words()
        {}
        >>> troubles.noted(Gap("payments", "payments/0", 40, 1240, "retention"))
        >>> troubles.words()["offsets_lost"].partition(";")[0]
        'payments: up to 1,200 records deleted before they were read, since the start'
        """
        found = {}
        if self.another is not None:
            found["another_daemon"] = f"{self.another} reads as well, and {TWICE}; {ONE}"
        if self._forgotten is not None:
            found["state_was_lost"] = (
                f"this state began empty, though {self._forgotten.by} has read under our group before: what that one knew is learnt again; "
                "if it was not meant, stop raincheck and look whether state.path and its volume are those of before; if they are, "
                "raincheck state check lists the copies, and raincheck state restore --from goes back to one of a former life"
            )
        lost = sorted(self._lost.copy().items())
        if lost:
            each = ", ".join(f"{stream}: up to {counted(n, 'record')} {HOW[reason]}" for (stream, reason), n in lost)
            found["offsets_lost"] = (
                f"{each}, since the start; windows that may lack them are partial: see how far reading was behind, and whether the topic "
                "keeps its records for long enough"
            )
        return found
