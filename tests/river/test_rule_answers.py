"""An answer to a rule's page, and the note that stood beside it: nobody is woken by what would have let them sleep without an answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from monitor.again import HOUR_MS
from monitor.incident import AnswerKind
from monitor.offline import Walk
from tests.river.test_life import Life, plan


@pytest.mark.parametrize("restarted", [False, True], ids=["", "restarted"])
@pytest.mark.parametrize(
    ("kind", "more", "because"),
    [
        (None, {}, "it recovers by itself, and the note with it"),
        ("fixed", {"at_ms": HOUR_MS // 2}, "the window that was open at the answer may hold what was broken"),
        ("expected", {"until_ms": HOUR_MS}, "and is over when it was said to be"),
        ("false", {}, "the rule was wrong about it, not silent"),
        ("normal", {}, "a column that is missing has no other level"),
    ],
)
def test_what_a_rule_told_of_wakes_nobody_again(kind: AnswerKind | None, more: dict[str, Any], because: str, restarted: bool) -> None:
    life = Life()
    life.go(12)
    life.go(4, x=np.nan)
    (note,) = life.incidents("note")
    assert note.resolved_ms is None, "the column's evidence beside the rule's page"
    if kind is not None:
        life.answer(kind, **{name: life.now_ms + ms for name, ms in more.items()})
        (note,) = life.incidents("note")
        assert note.resolution == "answered"
        assert [answer.kind for answer in note.answers] == [kind]
    if restarted:
        life.walk = Walk(plan(), life.walk.store)
    life.go(37)
    assert len(life.incidents()) == 1, because
    life.go(8, x=2.0)
    assert len(life.incidents()) == 2, "it is watched on"


def test_what_was_not_mended_is_told_again_by_its_rule_alone() -> None:
    life = Life()
    life.go(12)
    life.go(4, x=np.nan)
    life.answer("fixed", at_ms=life.now_ms + HOUR_MS // 2)
    life.go(6, x=np.nan)
    life.go(37)
    assert [page.kind for page in life.incidents()] == ["rule", "rule"]
