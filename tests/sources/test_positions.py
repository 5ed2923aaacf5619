"""Where a partition begins and what a log's limits do to it: a table of decisions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sources import Assigned, Gap, Note, Recreated, Rewound
from monitor.sources.positions import Positions
from monitor.sources.source import epoch_key

P = "clicks/0"


def positions(begin: str = "beginning", saved: int | None = None, identity: str | None = None) -> Positions:
    table = Positions({"clicks": "t"}, "end" if begin == "end" else "beginning")
    table.restore({} if saved is None else {P: saved}, {} if identity is None else {"t": identity})
    return table


@pytest.mark.parametrize(
    ("begin", "saved", "log", "cut", "beyond", "position", "said", "because"),
    [
        ("beginning", None, (5, 9), {}, False, 5, [], "what retention left is all there is: nobody lost anything"),
        ("end", None, (5, 9), {}, False, 9, [], "it was told to begin with what is new"),
        ("end", 7, (5, 9), {}, False, 7, [], "a saved position beats where to begin"),
        ("beginning", 3, (5, 9), {}, False, 5, [Gap("clicks", P, 3, 5, "retention")], "records 3 and 4 are gone for good"),
        ("beginning", 9, (5, 9), {}, False, 9, [], "exactly the end is no error"),
        ("beginning", 12, (5, 9), {}, False, 12, [], "an end may be a late one: only the broker's refusal counts"),
        ("beginning", 12, (5, 9), {}, True, 9, [Rewound("clicks", P, 12, 9)], "refused, and above the end: the log was cut"),
        ("beginning", 7, (5, 9), {}, True, 7, [], "refused a moment ago and within the log now"),
        ("beginning", 8, (5, 9), {P: 6}, False, 6, [Rewound("clicks", P, 8, 6)], "the common past ends at 6"),
        ("beginning", 8, (5, 9), {P: 8}, False, 8, [], "nothing that we read was cut off"),
        ("beginning", 12, (5, 9), {P: None}, False, 9, [Rewound("clicks", P, 12, 9)], "nobody knows where: the end is the best guess"),
        (
            "beginning",
            8,
            (5, 9),
            {P: 2},
            False,
            5,
            [Rewound("clicks", P, 8, 2), Gap("clicks", P, 2, 5, "retention")],
            "cut to 2, and retention has taken what followed",
        ),
    ],
)
def test_a_partition_is_placed(
    begin: str,
    saved: int | None,
    log: tuple[int, int],
    cut: dict[str, int | None],
    beyond: bool,
    position: int,
    said: list[Note],
    because: str,
) -> None:
    table = positions(begin, saved, None if saved is None else "A")
    table.identify("t", "A", 1)
    out = table.place({P: log[0]}, {P: log[1]}, cut, {P} if beyond else ())
    assert table.next == {P: position}, because
    assert isinstance(out[0], Assigned)
    assert out[1:] == said, because


def test_added_partitions_are_read_whole_even_when_the_stream_began_at_its_end() -> None:
    table = positions("end")
    table.identify("t", "A", 1)
    table.place({P: 0}, {P: 9}, {}, ())
    table.place({"clicks/1": 0}, {"clicks/1": 4}, {}, ())
    assert table.next == {P: 9, "clicks/1": 0}


SINCE = {"clicks": 60_000}


@pytest.mark.parametrize(
    ("begin", "saved", "identity", "asked", "young", "position", "because"),
    [
        ("beginning", None, None, True, 7, 7, "never read before: its first record that is young enough"),
        ("end", None, None, True, 7, 7, "a model that says how much past it wants wants no end"),
        ("beginning", None, None, True, 5, 5, "all that retention left is young enough"),
        ("beginning", None, None, True, None, 9, "nothing is young enough: what comes next will be"),
        ("beginning", None, None, True, 12, 12, "the end that was told before may be a late one"),
        ("beginning", 6, "A", False, None, 6, "a saved position beats where to begin"),
        ("beginning", 6, None, False, None, 6, "saved before the topic's identity was: read before all the same"),
        ("end", None, "A", False, None, 5, "the topic was read before and the partition was not: it was added, and is new altogether"),
        ("end", None, "B", False, None, 5, "the topic was made anew: nothing in it was read before"),
    ],
)
def test_a_stream_with_an_age_begins_at_its_first_young_record(
    begin: str, saved: int | None, identity: str | None, asked: bool, young: int | None, position: int, because: str
) -> None:
    table = Positions({"clicks": "t"}, "end" if begin == "end" else "beginning", SINCE)
    table.restore({} if saved is None else {P: saved}, {} if identity is None else {"t": identity})
    table.identify("t", "A", 1)
    assert table.by_age([P]) == ({P: 60_000} if asked else {}), because
    table.place({P: 5}, {P: 9}, {}, (), {P: young} if asked else {})
    assert table.next == {P: position}, because
    assert table.by_age([P]) == {}, "a client built anew goes on where we are, and the age has moved on since"


def test_a_topic_without_a_position_is_not_known_yet() -> None:
    """Its offsets could not be asked for: whoever saves now and starts again has read nothing of it."""
    table = positions("end")
    assert table.identify("t", "A", 1) == []
    assert table.identities == {}
    assert table.identify("t", "B", 1) == [], "made anew before anything was read of it"
    table.place({P: 0}, {P: 9}, {}, ())
    assert table.next == {P: 9}
    assert table.identities == {"t": "B", "stream:clicks": "t"}


def test_partitions_added_to_a_stream_with_an_age_are_read_whole() -> None:
    table = Positions({"clicks": "t", "views": "v"}, "end", SINCE)
    table.identify("t", "A", 1)
    assert table.by_age([P, "views/0"]) == {P: 60_000}, "each stream has its own"
    table.place({P: 0}, {P: 9}, {}, (), {P: 7})
    assert table.by_age(["clicks/1"]) == {}
    table.place({"clicks/1": 2}, {"clicks/1": 4}, {}, ())
    assert table.next == {P: 7, "clicks/1": 2}


def test_partitions_are_announced_once_until_their_topic_goes() -> None:
    table = positions()
    assert [type(note) for note in table.place({P: 0}, {P: 0}, {}, ())] == [Assigned]
    assert table.place({P: 0}, {P: 0}, {}, ()) == []
    table.forget("clicks")
    assert table.place({P: 0}, {P: 0}, {}, ()) == [Assigned("clicks", {P: 0})]


@pytest.mark.parametrize("begin", ["beginning", "end"])
def test_another_identity_voids_all_positions_and_is_read_whole(begin: str) -> None:
    table = positions(begin, 7, "A")
    assert table.identify("t", "B", 2) == [Recreated("clicks", "t", "A", "B", (P, "clicks/1"))]
    table.place({P: 0, "clicks/1": 0}, {P: 9, "clicks/1": 9}, {}, ())
    assert table.next == {P: 0, "clicks/1": 0}
    assert table.identities == {"t": "B", "stream:clicks": "t"}


@pytest.mark.parametrize(
    ("remembered", "void", "because"),
    [
        ({"t": "A", "stream:clicks": "t"}, False, "it is what it was"),
        ({"t": "A"}, False, "its identity is known"),
        ({}, False, "positions were saved, and the crash came before the topic was"),
        ({"old": "O", "stream:clicks": "old"}, True, "the plan pointed at another topic then"),
        (
            {"t": "A", "old": "O", "stream:clicks": "old"},
            True,
            "pointed back at a topic that was read long ago: the positions are the other's",
        ),
        ({"old": "O", "stream:views": "old"}, False, "another stream's topic"),
    ],
)
def test_a_stream_that_points_at_another_topic_does_not_go_on_at_the_former_ones_offsets(
    remembered: dict[str, str], void: bool, because: str
) -> None:
    table = Positions({"clicks": "t"}, "end")
    table.restore({P: 5}, remembered)
    said = table.identify("t", "A", 1)
    assert said == ([Recreated("clicks", "t", "old", "A", (P,))] if void else []), because
    table.place({P: 0}, {P: 9}, {}, ())
    assert table.next == {P: 0 if void else 5}, because
    assert table.identify("t", "A", 1) == [], "said once"


def test_a_topic_belongs_to_one_stream() -> None:
    with pytest.raises(ValueError, match="streams 'a' and 'b' both read topic 't'"):
        Positions({"a": "t", "b": "t"}, "beginning")


def moved_by(how: str, table: Positions) -> None:
    """A position at 7 of a log from 0 to 9 is moved to another offset without reading."""
    if how == "recreated":
        table.identify("t", "B", 1)
    table.place({P: 8 if how == "retention" else 0}, {P: 9}, {P: 4} if how == "cut" else {}, ())
    if how == "poison":
        table.lose(P, 8, "poison")


@pytest.mark.parametrize("how", ["retention", "poison", "cut", "recreated"])
def test_an_epoch_is_not_asked_about_at_another_offset(how: str) -> None:
    """What a state was once told stays in it until it is told something else: the epoch of a former offset must be taken back aloud."""
    saved = {"t": "A", "stream:clicks": "t", epoch_key(P): "3"}
    first = Positions({"clicks": "t"}, "beginning")
    first.restore({P: 7}, saved)
    first.identify("t", "A", 1)
    assert first.epochs == {P: 3}
    moved_by(how, first)
    second = Positions({"clicks": "t"}, "beginning")
    second.restore(first.next, saved | first.said())
    assert max(second.epochs.values()) < 0, "nobody knows the record before it"


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.one_of(st.none(), st.integers(0, 50)), st.booleans(), st.booleans())
def test_notes_account_for_every_step_of_a_position(
    saved: int, first: int, length: int, common: int | None, is_cut: bool, beyond: bool
) -> None:
    """A reader that applies the notes in order is where the table is, never below the log's first record."""
    table = positions("beginning", saved, "A")
    at = -1
    for note in table.place({P: first}, {P: first + length}, {P: common} if is_cut else {}, {P} if beyond else ()):
        if isinstance(note, Assigned):
            at = note.starts[P]
        elif isinstance(note, Rewound):
            assert (note.position, note.start < note.position) == (at, True)
            at = note.start
        elif isinstance(note, Gap):
            assert (note.start, note.start < note.stop) == (at, True)
            at = note.stop
    assert at == table.next[P] >= first
