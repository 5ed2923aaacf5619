"""Two clocks side by side: for some days after a date at which large zones change theirs, the season moved by an hour is tried too.

From the date on, the evidence is walked under either clock, and what is told is the reading with the smaller M. If one of the two clocks is
the right one, that reading never exceeds the right one's, so the budget holds without knowing which; a drift is worse than usual
under both, and is found as soon as the second one says so. In each window, with z the bounded scores of the shortest cadence,

    d = (sum z_still^2 - sum z_moved^2) / 2,    ahead = sum d,    t = ahead / sqrt(sum d^2)

After each whole day, in which every hour has spoken once, ahead = 6 and t = 3 decide, either way; after a week ahead = 6 and t = 2 for
the moved clock, else the clock stays, as most do on most dates. A clock that wins is kept with all its evidence. Streams whose
level an open incident holds do not speak: the cross term of a lasting shift with the hour would drown what the clock has to say.

Where dates follow each other, a later one takes the place of an earlier that has found nothing for itself so far: the moved clock
is the same from then on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from detectors.budget.clock import DAY_MS, Change, candidates
from detectors.budget.reading import Reading
from detectors.budget.state import Rival, State

TRIAL_MS = 7 * DAY_MS
AHEAD, SURE, LATE = 6.0, 3.0, 2.0


def entered(state: State, start_ms: int, window_ms: int) -> State:
    """The state with the clocks that are to be tried in the window at `start_ms`: dates since the one before are looked at."""
    half = window_ms // 2
    known = max(state.clock.settled_ms, state.end_ms - half)
    for change in candidates(known, start_ms + half):
        state = _tried(state, change, start_ms)
    return state


def _tried(state: State, change: Change, start_ms: int) -> State:
    moved = state.clock.moved(change)
    if moved is None:
        return state
    others = [r for r in state.rivals if r.state.clock.offset_ms != moved.offset_ms or r.ahead > 0]
    if any(r.state.clock.offset_ms == moved.offset_ms for r in others):
        return state
    return replace(state, rivals=(*others, Rival(replace(state, clock=moved, rivals=()), start_ms)))


def settled(before: State, after: State, reading: Reading, walked: Sequence[tuple[State, Reading]]) -> tuple[State, Reading]:
    """One window later: `after` and `reading` under the clock so far, `walked` under those of the rivals in `before`.

    The state with what is still undecided, and the reading of the least evidence.
    """
    least = min([reading, *(its for _, its in walked)], key=lambda one: one.log10_m)
    rivals = []
    for rival, (now, _) in zip(before.rivals, walked, strict=True):
        d = after.misfit - now.misfit
        rivals.append(Rival(now, rival.since_ms, rival.ahead + d, rival.square + d * d))
    verdicts = [_verdict(r, before.end_ms, after.end_ms, bool(after.held.any())) for r in rivals]
    won = [r for r, verdict in zip(rivals, verdicts, strict=True) if verdict]
    if won:
        return max(won, key=lambda r: r.ahead).state, least
    return replace(after, rivals=tuple(r for r, verdict in zip(rivals, verdicts, strict=True) if verdict is None)), least


def _verdict(rival: Rival, before_ms: int, now_ms: int, held: bool) -> bool | None:
    """Whether the moved clock is the right one; None while that is open, and no limit while an incident (`held`) silences streams."""
    age = now_ms - rival.since_ms
    if age // DAY_MS == (before_ms - rival.since_ms) // DAY_MS:
        return None
    t = rival.ahead / math.sqrt(rival.square) if rival.square else 0.0
    if abs(rival.ahead) >= AHEAD and abs(t) >= SURE:
        return rival.ahead > 0
    return None if age < TRIAL_MS or held else rival.ahead >= AHEAD and t >= LATE


def each(state: State, change: Callable[[State], State]) -> State:
    """The same change made under every clock that is being tried."""
    rivals = tuple(replace(r, state=change(r.state)) for r in state.rivals)
    return replace(change(replace(state, rivals=())), rivals=rivals)
