"""Whatever is thrown at the reader, it either gives a plan or a list of mistakes, and a secret is in neither."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.config import compile
from monitor.config.declaration import CONFIGURATION
from monitor.config.kinds import Maybe
from monitor.config.quantities import DAY_MS, duration_ms, show_duration, show_size, size_bytes
from monitor.config.reader import read_yaml
from monitor.config.reading import At, Reading
from monitor.config.tables import Key, ListOf, MapOf, Table
from monitor.errors import Misconfigured, Mistake
from monitor.plan import Plan

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["5m", "10%", "1pp", "64MB", "${A}", "x", "t", "."])
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12
)


def shaped(kind: Any) -> st.SearchStrategy[Any]:
    """Values with the shape that the declaration asks for, wrong in places: deeper than blind chance would get."""
    if isinstance(kind, Maybe):
        return shaped(kind.kind)
    if isinstance(kind, Table):
        return JSON | st.fixed_dictionaries({}, optional={key.name: shaped(key.kind) for key in kind.keys} | {"stray": LEAVES})
    if isinstance(kind, MapOf):
        return JSON | st.dictionaries(st.sampled_from(["m", "t", "x", "a b", ""]), shaped(kind.table), max_size=2)
    if isinstance(kind, ListOf):
        return JSON | st.lists(shaped(kind.kind), max_size=3)
    words = st.sampled_from(kind.words) if hasattr(kind, "words") else st.sampled_from(["m", "t", "x", "psi", "1d", "5m", 1, 0.5, "20%"])
    return words | LEAVES


def compiled(tree: Any) -> Plan | None:
    try:
        return compile(tree, environment={"A": "hunter2"})
    except Misconfigured as error:
        examine(error.mistakes)
        return None


def examine(mistakes: tuple[Mistake, ...]) -> None:
    for mistake in mistakes:
        assert str(mistake).isprintable(), "a mistake is one line"
        assert "hunter2" not in json.dumps(mistake.as_json())


@given(JSON)
def test_any_json_is_a_plan_or_a_list_of_mistakes(tree: Any) -> None:
    compiled(tree)


@given(shaped(CONFIGURATION))
def test_anything_of_the_right_shape_is_a_plan_or_a_list_of_mistakes(tree: Any) -> None:
    before = repr(tree)
    plan = compiled(tree)
    assert repr(tree) == before, "the mapping is not changed"
    if plan is not None:
        assert all(model.owner in plan.owners for model in plan.models.values())
        assert all(DAY_MS % model.window_ms == 0 for model in plan.models.values())


@given(st.text(max_size=200))
def test_any_text_can_be_read_as_yaml_or_is_a_mistake(text: str) -> None:
    reading = Reading("rain.yaml", {})
    tree, _ = read_yaml(text, At(reading))
    assert tree is None or not isinstance(tree, BaseException)
    compiled(tree)


@given(st.integers(0, 10**13))
def test_lengths_of_time_are_read_as_they_are_shown(ms: int) -> None:
    if ms <= 36_525 * DAY_MS:
        assert duration_ms(show_duration(ms)) == ms


@given(st.integers(0, 10**15))
def test_sizes_are_read_as_they_are_shown(size: int) -> None:
    assert size_bytes(show_size(size)) == size


def keys(kind: Any, path: str = "") -> list[tuple[str, Key, Table]]:
    """Every key of the declaration with its path and table."""
    if isinstance(kind, Maybe | ListOf):
        return keys(kind.kind, path)
    if isinstance(kind, MapOf):
        return keys(kind.table, f"{path}.*")
    if isinstance(kind, Table):
        return [found for key in kind.keys for found in [(f"{path}.{key.name}", key, kind), *keys(key.kind, f"{path}.{key.name}")]]
    return []


def test_every_default_is_written_the_way_it_is_read() -> None:
    """The defaults in the editors' schema are those of the plan: reading one back gives the dataclass's own."""
    checked = 0
    for path, key, table in keys(CONFIGURATION):
        default = table.default(key)
        if default is not None:
            reading = Reading("defaults", {})
            read = key.kind.read(default, At(reading))
            assert not reading.mistakes, path
            assert read == table.cls.__dataclass_fields__[key.target].default, path
            checked += 1
    assert checked > 25


def test_every_key_says_what_it_means() -> None:
    for path, key, _ in keys(CONFIGURATION):
        assert len(key.doc) > 5, path
