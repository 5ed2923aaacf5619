"""Windows that are still open: panes per partition, added up as they come, merged in sorted order when a window closes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from detectors.cuts import Cuts
from detectors.summaries import cells_of, merged, recut
from detectors.summaries.sample import Sample
from detectors.summary import Summary
from monitor.pane import Folded, Pane, PaneKey
from monitor.plan import Model
from monitor.rules import Closed
from monitor.segments import overflow
from monitor.standing import Standing

# Garbage time stamps open a window each; nobody's partitions are months of windows apart.
MOST_OPEN = 10_000
# After this many empty windows in a row the calendar is jumped over: a stray early stamp must not cost a million verdicts.
MOST_EMPTY = 10_000
LEADS = 0.6


@dataclass(frozen=True, slots=True)
class Merged:
    """A closed window: `summaries` only while the cells are not frozen (for the record), else `window.cells`."""

    window: Closed
    summaries: Mapping[str, Summary]


@dataclass(frozen=True, slots=True)
class Step:
    """What comes next for a model: its `standing` then and the window to be closed (`start_ms`; None: there is none yet, or `counts` says
    how many were jumped over). `counts`, by reason, is what was left out on the way."""

    standing: Standing
    start_ms: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


class OpenWindows:
    """All open panes of one engine, and which of them changed since the last drain."""

    def __init__(self) -> None:
        self._panes: dict[str, dict[int, dict[tuple[str, PaneKey], Pane]]] = defaultdict(dict)
        self._cuts: dict[str, Mapping[str, Cuts]] = {}
        self._dirty: dict[tuple[str, PaneKey], Pane | None] = {}
        self._saved: set[tuple[str, PaneKey]] = set()

    def set_cuts(self, model: str, cuts: Mapping[str, Cuts]) -> None:
        """From now on this model's windows close as counts in these cells, whatever their panes were folded into."""
        self._cuts[model] = cuts

    def add(self, folded: Folded, closed_ms: Mapping[str, int]) -> Counter[tuple[str, str]]:
        """Merges what a slice added; panes are replaced, never changed in place.

        `closed_ms` per model is where its closed windows end: what falls before is left out, as is what would open a
        window beyond `MOST_OPEN`. Returned are those events by (model, reason).
        """
        grown: set[tuple[str, int]] = set()
        left_out: Counter[tuple[str, str]] = Counter()
        for key, pane in folded.panes.items():
            windows = self._panes[key.model]
            reason = ""
            if key.start_ms < closed_ms.get(key.model, key.start_ms):
                reason = "late"
            elif len(windows) >= MOST_OPEN and key.start_ms not in windows:
                reason = "too_many_windows"
            if reason:
                left_out[key.model, reason] += 0 if key.segment else pane.events
            elif self._put((folded.partition, key), pane):
                grown.add((key.model, key.start_ms))
        for model, start_ms in grown:
            self._bound(folded.partition, self._panes[model][start_ms])
        return +left_out

    def _put(self, full: tuple[str, PaneKey], pane: Pane) -> bool:
        """Merges one pane into its window; True where it is the first of its key."""
        key = full[1]
        panes = self._panes[key.model].setdefault(key.start_ms, {})
        old = panes.get(full)
        panes[full] = pane if old is None else self._plus(old, pane, key.model)
        self._dirty[full] = panes[full]
        return old is None

    def _bound(self, partition: str, panes: dict[tuple[str, PaneKey], Pane]) -> None:
        """However many values a segment has, a window's panes stay as many as fit (monitor.segments)."""
        for key, shared in overflow([key for owner, key in panes if owner == partition]).items():
            full = (partition, key)
            pane = panes.pop(full)
            self._forget(full)
            self._put((partition, shared), pane)

    def step(self, model: Model, standing: Standing, end_ms: int) -> Step:
        """What the model does next when all of its partitions have passed `end_ms` and its lateness."""
        start, counts = standing.next_ms, {}
        if standing.stage == "gathering" and start is not None and self.far(model, start):
            start, standing = None, replace(standing, events=0, last_events_ms=None)  # that was a clock before it was set
        if start is None:
            start, strays = self.begin(model, end_ms)
            counts = {"late": strays} if strays else {}
            if start is not None:
                standing = replace(standing, origin_ms=start)
        if start is None or start + model.window_ms > end_ms:
            return Step(standing, None, counts)
        quiet = start - (standing.last_events_ms or start)
        if quiet >= MOST_EMPTY * model.window_ms and not self.has(model.name, start):
            to = min(self.first_start(model.name) or end_ms, end_ms) // model.window_ms * model.window_ms
            return Step(replace(standing, next_ms=to), None, {"windows_jumped": (to - start) // model.window_ms} if to > start else {})
        return Step(replace(standing, next_ms=start + model.window_ms), start, counts)

    def begin(self, model: Model, end_ms: int) -> tuple[int | None, int]:
        """Where a model begins whose partitions have all passed `end_ms` and its lateness, and how many events were left out for it.

        The first window that holds events, but none that stands alone more than `MOST_EMPTY` windows before the next: a stamp of
        1970 is no beginning. Two windows or more are one, though a better clock followed them by half a century (`far`): the first
        of them is closed before that is seen where records come one by one, and verdicts must not hang on how they come.
        """
        starts = sorted(start for start in self._panes[model.name] if start <= end_ms + model.lateness_ms)
        begins = next(iter(starts), None)
        for earlier, later in pairwise(starts):
            if later - earlier > MOST_EMPTY * model.window_ms:
                if begins != earlier:
                    break
                begins = later
        return begins, sum(self._drop(model.name, start) for start in starts if begins is not None and start < begins)

    def far(self, model: Model, start_ms: int) -> bool:
        """Does the first window that holds events lie so far behind this one?"""
        first = self.first_start(model.name)
        return first is not None and first - start_ms > MOST_EMPTY * model.window_ms

    def _drop(self, model: str, start_ms: int) -> int:
        """Forgets a window; how many events it held."""
        panes = self._panes[model].pop(start_ms)
        for full in panes:
            self._forget(full)
        return sum(pane.events for (_, key), pane in panes.items() if not key.segment)

    def _forget(self, full: tuple[str, PaneKey]) -> None:
        """The pane is no more; if it was saved, the next drain says so."""
        self._dirty.pop(full, None)
        if full in self._saved:
            self._saved.discard(full)
            self._dirty[full] = None

    def has(self, model: str, start_ms: int) -> bool:
        return start_ms in self._panes[model]

    def of(self, model: str) -> dict[tuple[str, PaneKey], Pane]:
        """The model's open panes; they are never changed in place, so they may be kept."""
        return {full: pane for panes in self._panes[model].values() for full, pane in panes.items()}

    def first_start(self, model: str) -> int | None:
        return min(self._panes[model], default=None)

    def last_start(self, model: str) -> int | None:
        return max(self._panes[model], default=None)

    def close(self, model: Model, start_ms: int, lacks: tuple[tuple[str, str], ...] = ()) -> Merged:
        """Takes the window's panes out and merges them in sorted key order, over partitions and versions.

        With frozen cells everything is counted in them; before, summaries are reduced to what the record keeps.
        """
        cuts = self._cuts.get(model.name)
        panes = self._panes[model.name].pop(start_ms, {})
        by_column: dict[str, list[Summary]] = defaultdict(list)
        events: dict[str, int] = defaultdict(int)
        versions: Counter[str] = Counter()
        for full in sorted(panes):
            key, pane = full[1], panes[full]
            self._forget(full)
            if key.segment:
                continue
            events[key.role] += pane.events
            if key.version:
                versions[key.version] += pane.events
            for name, summary in pane.columns.items():
                by_column[name].append(summary if cuts is None else recut(summary, cuts[name]))
        summaries = {column.name: merged(column.kind, by_column[column.name]) for column in model.columns if by_column[column.name]}
        # before cells are frozen, only what rules need: missing, not finite, invalid, and everything else
        cells = {name: cells_of(summary) for name, summary in summaries.items()}
        leading = "inputs" if any(column.role == "inputs" for column in model.columns) else "predictions"
        window = Closed(
            model.name, start_ms, start_ms + model.window_ms, events[leading], cells,
            versions=tuple(sorted(versions)), lacks=lacks, version=_leader(versions),
        )  # fmt: skip
        return Merged(window, {} if cuts is not None else {name: _reduced(s) for name, s in summaries.items()})

    def drain(self) -> dict[tuple[str, PaneKey], Pane | None]:
        """Panes that changed (None: closed) since the last drain."""
        dirty, self._dirty = self._dirty, {}
        self._saved |= {full for full, pane in dirty.items() if pane is not None}
        return dirty

    def restore(self, panes: Mapping[tuple[str, PaneKey], Pane]) -> None:
        for (partition, key), pane in panes.items():
            self._panes[key.model].setdefault(key.start_ms, {})[partition, key] = pane
            self._saved.add((partition, key))

    def _plus(self, one: Pane, other: Pane, model: str) -> Pane:
        columns = dict(one.columns)
        for name, summary in other.columns.items():
            old = columns.get(name)
            if old is None:
                columns[name] = summary
            elif old.kind == summary.kind:
                columns[name] = old.merge(summary)
            else:  # the cells were frozen while the window was open: what was folded before is cut like what came after
                cuts = self._cuts[model][name]
                columns[name] = recut(old, cuts).merge(recut(summary, cuts))  # type: ignore[arg-type] # same cells, same kind
        return Pane(one.events + other.events, columns)


def _leader(versions: Counter[str]) -> str:
    """The version that brings well over half of the events; "" where none does: two that share them evenly would take turns."""
    name, count = max(sorted(versions.items()), key=lambda item: item[1], default=("", 0))
    return name if count > LEADS * versions.total() else ""


def _reduced(summary: Summary) -> Summary:
    """What the record keeps of a summary before cells are frozen: a smaller sample; tallies as they are."""
    return summary.reduce() if isinstance(summary, Sample) else summary
