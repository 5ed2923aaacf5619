"""The demo tells its story: what breaks the model is paged, what does not is not. Played once, as a user would."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.river.world import raincheck


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(raincheck("demo", "--once", "--json").splitlines()[-1])
    return answer


def test_what_harms_is_paged_within_a_few_windows(told: dict[str, Any]) -> None:
    harmful = [e for e in told["episodes"] if e["harmful"]]
    assert [e["name"] for e in harmful] == ["rain", "re-encoding"]
    for episode in harmful:
        assert episode["accuracy_before"] - episode["accuracy_during"] >= 0.10, "it really breaks the model"
        assert episode["paged_after_windows"] is not None
        assert episode["paged_after_windows"] <= 4


def test_the_control_and_the_clean_weeks_are_not(told: dict[str, Any]) -> None:
    (control,) = (e for e in told["episodes"] if not e["harmful"])
    assert abs(control["accuracy_before"] - control["accuracy_during"]) < 0.05, "it is harmless"
    assert control["paged_after_windows"] is None
    assert told["false_pages"] == 0


def test_pages_name_the_picture_and_when_it_began(told: dict[str, Any]) -> None:
    assert len(told["pages"]) == 2
    for page in told["pages"]:
        assert page["model"] == "traffic-light"
        assert page["subjects"][0] == "frame"
        assert page["onset"] < page["time"]
        assert "frame" in page["message"]
