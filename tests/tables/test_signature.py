"""Whose name stands beside the offsets, and from how many looks it follows that somebody else writes there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from monitor.sources.signature import LOOKS, WHO_CHARS, Company, Signature, drawn, left_behind, signature_of

MINE = Signature("b", "0/1", "here:2")
OURS, THEIRS, THIRD = MINE.text, "raincheck a 0/1 there:1", "raincheck c 0/1 yonder:3"
Look = tuple[str, ...]


@dataclass(frozen=True)
class Row:
    looks: Sequence[Look]  # what stood in each partition that we had written since the look before
    other: str | None
    because: str


ROWS = (
    Row([], None, "nobody has looked"),
    Row([(OURS,)] * 9, None, "nobody else writes"),
    Row([(THEIRS,)], None, "one word may be the last of somebody who was told to stop as we began"),
    Row([(THEIRS,), (THEIRS,)], "there:1", "it has written again after us: it lives"),
    Row([(THEIRS,), (OURS,), (THEIRS,)], "there:1", "it writes less often than we do"),
    Row([(THEIRS,), (THEIRS,), (OURS,), (OURS,)], "there:1", "it may just be slow"),
    Row([(THEIRS,), (THEIRS,), (OURS,), (OURS,), (OURS,)], None, "two minutes and not a word: it has gone"),
    Row([(THEIRS,), (OURS,), (OURS,), (OURS,), (THEIRS,)], None, "two last words, of two updates"),
    Row([(THEIRS,), (THIRD,)], "yonder:3", "whoever dies and is started again has another name each time"),
    Row([(OURS, THEIRS)] * 2, "there:1", "it reads one topic of ours"),
    Row([(OURS, THEIRS), (OURS,)], None, "a partition that we have not written since proves nothing"),
    Row([("",), ("",)], "a client that leaves no name", "an application under our group's name"),
    Row([("raincheck",)] * 2, "a raincheck that leaves no name", "an older release"),
    Row([()] * 9, None, "nothing stands there: an administrator has deleted it"),
    Row([(THEIRS,), (), (), (), (THEIRS,)], "there:1", "what says nothing is no good news either"),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.because)
def test_who_else_writes(row: Row) -> None:
    company = Company()
    for look in row.looks:
        found = {f"c/{number}": metadata for number, metadata in enumerate(look)}
        company = company.after(MINE, found.keys(), found | {"c/9": THEIRS})
    assert company.other == row.other, row.because
    assert len(company.looks) <= LOOKS


@pytest.mark.parametrize(
    ("part", "told", "because"),
    [
        ("1/2", False, "the other half of the models"),
        ("0/2", True, "the same half"),
        ("0/1", True, "all of them, ours among them: the plan was divided and one process was forgotten"),
        ("2/3", True, "other parts than ours overlap"),
        ("", True, "nobody knows what it judges"),
    ],
)
def test_parts_of_a_plan(part: str, told: bool, because: str) -> None:
    mine = Signature("b", "0/2", "here:2")
    company = Company()
    for _ in range(2):
        company = company.after(mine, {"c/0"}, {"c/0": Signature("a", part, "there:1").text})
    assert (company.other is not None) is told, because


def test_where_parts_write_over_each_other_a_look_that_finds_a_part_says_nothing() -> None:
    mine, half, twin = (Signature(life, part, life) for life, part in (("b", "0/2"), ("h", "1/2"), ("t", "0/2")))
    company = Company()
    for seen in (twin, *[half] * 9, twin):
        company = company.after(mine, {"c/0"}, {"c/0": seen.text})
    assert company.other == "t"


@pytest.mark.parametrize(
    ("metadata", "lost", "because"),
    [
        (THEIRS, True, "an earlier life of the same plan"),
        ("raincheck", True, "one of an older release, which left no name"),
        (OURS, False, "ourselves: the topic was made anew"),
        ("raincheck a 1/2 there:1", False, "another part has a state of its own"),
        ("", False, "an application under our group's name, which has no state that we could lose"),
        ("raincheckers", False, "no raincheck"),
    ],
)
def test_whose_memory_is_lost(metadata: str, lost: bool, because: str) -> None:
    assert (left_behind(MINE, {"c/0": metadata}) == ["c/0"]) is lost, because


@pytest.mark.parametrize(
    ("host", "who"),
    [
        ("tower.example", "tower.example:"),
        ("a b\tc\x1b[31m", "a_b_c_[31m:"),
        ("h" * 300, "h" * WHO_CHARS),
    ],
)
def test_a_name_is_short_and_printable_whatever_the_host_is_called(host: str, who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)
    mine: Mapping[str, Signature] = {"written": (name := drawn("0/1")), "read": signature_of(name.text)}
    assert mine["written"] == mine["read"]
    assert name.who.startswith(who)
    assert len(name.who) <= WHO_CHARS
