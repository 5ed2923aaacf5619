"""Recordings as a source: the records of a topic again, with the partitions and offsets that they had."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from monitor import wall
from monitor.batch import Records
from monitor.sources.recording import Line, read_lines
from monitor.sources.source import Assigned, Note, PartitionStatus, Reached, SourceStatus


class FilesSource:
    """Reads recordings one after the other, `most` records per poll; of `streams` only, if they are named.

    A file knows its end only when it has been read, so nothing is caught up before that; then everything is, and polls return at once.
    A paused partition holds back what stands behind it in the file. A file that is no recording raises `Misconfigured` from `poll`.
    """

    def __init__(self, paths: Sequence[Path], streams: Collection[str] | None = None, *, most: int = 2000) -> None:
        if not paths:
            raise ValueError("no recording is named: one path at least")
        self._paths = list(paths)
        self._only = None if streams is None else set(streams)
        self._most = most
        self._next: dict[str, int] = {}
        self._saved: dict[str, int] = {}
        self._identities: dict[str, str] = {}
        self._paused: set[str] = set()
        self._lines: Iterator[Line] = self._all()
        self._held: Line | None = None  # read from the file, and its partition is paused
        self._end_ms: int | None = None
        self._started = self._closed = False
        self._commits = 0

    def _all(self) -> Iterator[Line]:
        for path in self._paths:
            for _, line in read_lines(path):
                if self._only is None or line.stream in self._only:
                    yield line

    def start(self, positions: Mapping[str, int], identities: Mapping[str, str]) -> None:
        self._saved = dict(positions)
        self._identities = dict(identities)

    def poll(self, timeout_ms: int) -> list[Records | Note]:  # noqa: ARG002 - a file is there at once
        found: dict[str, list[Line]] = {}
        starts: dict[str, dict[str, int]] = {}
        count = 0
        while count < self._most and not self._closed:
            line = self._held or next(self._lines, None)
            if line is None:
                self._end_ms = wall.now_ms()
                break
            place = line.place
            if place in self._paused:
                self._held = line
                break
            self._held = None
            if place not in self._next:
                self._identities.setdefault(line.stream, _identity(line))
                self._next[place] = self._saved.pop(place, line.offset)
                starts.setdefault(line.stream, {})[place] = self._next[place]
            if line.offset < self._next[place]:
                continue
            found.setdefault(place, []).append(line)
            self._next[place] = line.offset + 1
            count += 1
        arrival_ms = wall.now_ms()
        notes: list[Records | Note] = [Assigned(stream, places) for stream, places in starts.items()]
        return notes + [
            Records(
                stream=lines[0].stream,
                partition=place,
                offsets=[line.offset for line in lines],
                stamps_ms=[line.stamp_ms for line in lines],
                values=[line.value for line in lines],
                next_offset=lines[-1].offset + 1,
                arrival_ms=arrival_ms,
            )
            for place, lines in found.items()
        ]

    @property
    def finished(self) -> bool:
        """Whether the last record was handed out."""
        return self._end_ms is not None

    def caught_up(self) -> Mapping[str, Reached]:
        at_ms = self._end_ms
        return {} if at_ms is None else {place: Reached(end, end, at_ms) for place, end in self._next.items()}

    def pause(self, partitions: Collection[str]) -> None:
        self._paused |= set(partitions)

    def resume(self, partitions: Collection[str]) -> None:
        self._paused -= set(partitions)

    def release(self, partition: str) -> None:
        """A file has no halted partitions: what cannot be read raises."""

    def commit(self, offsets: Mapping[str, int]) -> None:  # noqa: ARG002 - see below
        """Nobody asks a file for its lag."""
        self._commits += 1

    def identities(self) -> Mapping[str, str]:
        """`{stream: identity}`: a recording has no topics, so the stream's name stands for it."""
        return dict(self._identities)

    def status(self) -> SourceStatus:
        done = self.finished
        places = {
            place: PartitionStatus(position=position, end=position if done else None, paused=place in self._paused)
            for place, position in dict(self._next).items()
        }
        return SourceStatus(connected=not self._closed, contact_age_ms=0, partitions=places, commits=self._commits)

    def close(self) -> None:
        self._closed = True
        self._lines = iter(())


def _identity(line: Line) -> str:
    """A recording is known by the first record of its stream."""
    seed = f"{line.place}@{line.offset}:{line.stamp_ms}".encode()
    return "recording-" + hashlib.sha256(seed + (line.value or b"")).hexdigest()[:16]
