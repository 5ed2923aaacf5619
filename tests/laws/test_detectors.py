"""What every registered detector owes, whoever wrote it: the walk is over the registry, so a new file is tested unasked."""

from __future__ import annotations

import doctest
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors import registry
from detectors.counts import NO_VALUE, Counts
from detectors.registry import PluginError, Registered, detector, discover
from detectors.score import Score

ALL = list(discover().values())
COMPARATORS = [(r, kind) for r in ALL if r.family == "comparator" for kind in r.kinds]
SEQUENTIAL = [r for r in ALL if r.family == "sequential"]

every_detector = pytest.mark.parametrize("registered", ALL, ids=lambda r: r.id)
every_comparator = pytest.mark.parametrize(("registered", "kind"), COMPARATORS, ids=[f"{r.id}-{kind}" for r, kind in COMPARATORS])
every_sequential = pytest.mark.parametrize("registered", SEQUENTIAL, ids=lambda r: r.id)

# small memories, so that beginning anew happens within a test; a detector not named here is tested as it is by default
SMALL: dict[str, dict[str, Any]] = {
    "adwin": {"memory": 64, "clock": 4},
    "page_hinkley": {"memory": 64, "threshold": 10.0, "grace": 10},
    "kswin": {"window": 20, "recent": 8},
    "cusum": {"warmup": 10},
}


def frozen(counts: Any) -> NDArray[np.int64]:
    out = np.asarray(counts, dtype=np.int64)
    out.flags.writeable = False
    return out


def counts(kind: Literal["numeric", "categorical"], values: Any) -> Counts:
    """Counts with these value cells; writing into them is an error."""
    cells = frozen([0] * NO_VALUE[kind] + list(values))
    means = np.linspace(-2.0, 2.0, len(cells) - 5) if kind == "numeric" else None
    return Counts(kind, cells, means)


def shares(size: int = 20) -> NDArray[np.float64]:
    """A reference with nothing below or above its range, as a numeric one has by its making."""
    x = np.linspace(-2, 2, size)
    inner = np.exp(-x * x / 2)
    return np.concatenate(([0.0], inner / inner.sum(), [0.0]))


def detector_of(registered: Registered) -> Any:
    return registered.make(SMALL.get(registered.id))


cells = st.lists(st.integers(0, 1000), min_size=4, max_size=40)


@every_comparator
@given(data=st.data())
@settings(max_examples=60)
def test_any_counts_have_a_finite_score_or_a_reason(registered: Registered, kind: Any, data: st.DataObject) -> None:
    a = data.draw(cells)
    b = data.draw(st.lists(st.integers(0, 1000), min_size=len(a), max_size=len(a)))
    reference, window = counts(kind, a), counts(kind, b)
    before = (reference.counts.tobytes(), window.counts.tobytes())
    comparator = registered.make()
    score = comparator.compare(reference, window)
    assert (reference.counts.tobytes(), window.counts.tobytes()) == before, "nobody is mutated"
    assert comparator.compare(reference, window) == score, "the same input has the same answer"
    assert (score.reference_events, score.window_events) == (sum(a), sum(b))
    if score.value is not None:
        assert score.value >= 0
        assert score.p_value is None or 0 <= score.p_value <= 1
    if not sum(a) or not sum(b):
        assert score.value is None, "no values, no score"


@every_comparator
@given(values=cells, times=st.integers(1, 50))
@settings(max_examples=60)
def test_no_drift_is_a_small_score(registered: Registered, kind: Any, values: list[int], times: int) -> None:
    """A window with exactly the reference's shares; half a count per cell is all that may be left of it."""
    assume(sum(values) >= 100)
    score = registered.make().compare(counts(kind, [times * v for v in values]), counts(kind, values))
    assert score.value is None or score.value < 0.1
    alike = registered.make().compare(counts(kind, values), counts(kind, values))
    assert alike.value is None or alike.value < 1e-9


@every_comparator
def test_a_growing_drift_has_a_growing_score(registered: Registered, kind: Any) -> None:
    """Ever more of the window's events are moved up by four cells."""
    q = shares()
    moved = np.concatenate((np.zeros(4), q[:-4]))
    moved[-1] += q[-4:].sum()
    sizes = []
    for part in np.linspace(0, 1, 9):
        window = np.round(50_000 * ((1 - part) * q + part * moved))
        sizes.append(registered.make().compare(counts(kind, np.round(500_000 * q)), counts(kind, window)).value)
    assert all(b > a for a, b in pairwise(sizes)), sizes
    assert sizes[-1] > 10 * max(sizes[0], 0.01)


@pytest.mark.parametrize("registered", [r for r, kind in COMPARATORS if kind == "categorical"], ids=lambda r: r.id)
@given(data=st.data())
@settings(max_examples=40)
def test_the_order_of_categories_means_nothing(registered: Registered, data: st.DataObject) -> None:
    a = data.draw(cells)
    b = data.draw(st.lists(st.integers(0, 1000), min_size=len(a), max_size=len(a)))
    order = data.draw(st.permutations(range(len(a))))
    assume(sum(a) and sum(b))
    comparator = registered.make()
    straight = comparator.compare(counts("categorical", a), counts("categorical", b)).value
    mixed = comparator.compare(counts("categorical", [a[i] for i in order]), counts("categorical", [b[i] for i in order])).value
    assert mixed == pytest.approx(straight, abs=1e-9)


@every_comparator
def test_what_is_no_value_is_left_to_the_rules(registered: Registered, kind: Any) -> None:
    """Missing, not finite and invalid have rates and rules of their own: a comparator speaks about values."""
    clean = counts(kind, np.round(1000 * shares()))
    dirty = clean.counts.copy()
    dirty[: NO_VALUE[kind]] = 500
    assert registered.make().compare(clean, replace(clean, counts=dirty)) == registered.make().compare(clean, clean)


@every_comparator
def test_different_cells_are_refused(registered: Registered, kind: Any) -> None:
    with pytest.raises(ValueError, match="different cells"):
        registered.make().compare(counts(kind, [1, 2, 3, 4]), counts(kind, [1, 2, 3, 4, 5]))


def outcome(score: Score) -> tuple[Any, ...]:
    return (score.value, score.p_value, score.window_events, score.detected, dict(score.evidence), score.reason)


numbers = st.lists(st.floats(-5, 5) | st.sampled_from([float("nan"), float("inf")]), max_size=90)


@every_sequential
@given(stream=numbers, shift=st.sampled_from([0.0, 4.0]), cut=st.integers(0, 90))
@settings(max_examples=25, deadline=None)
def test_saved_and_restored_is_never_stopped(registered: Registered, stream: list[float], shift: float, cut: int) -> None:
    stream = [x + (shift if i > len(stream) // 2 else 0.0) for i, x in enumerate(stream)]
    whole, first = detector_of(registered).start(), detector_of(registered).start()
    straight = [outcome(whole.step(x)) for x in stream]
    begun = [outcome(first.step(x)) for x in stream[:cut]]
    saved = json.loads(json.dumps(first.snapshot()))
    second = detector_of(registered).start(saved)
    assert begun + [outcome(second.step(x)) for x in stream[cut:]] == straight
    assert second.snapshot() == whole.snapshot()


@every_sequential
def test_state_is_bounded(registered: Registered) -> None:
    rng = np.random.default_rng(7)
    watch = detector_of(registered).start()
    sizes = []
    for x in rng.normal(size=600):
        watch.step(float(x))
        sizes.append(len(json.dumps(watch.snapshot())))
    assert max(sizes[300:]) <= max(sizes[:300]) + 200, "what has been seen twice over does not cost more"


@every_sequential
def test_a_constant_is_never_a_drift(registered: Registered) -> None:
    watch = detector_of(registered).start()
    scores = [watch.step(3.0) for _ in range(300)]
    assert not any(score.detected for score in scores)
    assert all(score.value is None or score.value == 0 for score in scores)


@every_sequential
def test_a_large_lasting_shift_is_noticed_soon_after_it(registered: Registered) -> None:
    rng = np.random.default_rng(11)
    watch = detector_of(registered).start()
    steps = [watch.step(float(x) + (5.0 if i >= 100 else 0.0)).detected for i, x in enumerate(rng.normal(size=160))]
    assert any(steps[100:140])


def test_cusum_begins_at_nought_after_an_alarm() -> None:
    """A shift that lasts alarms again and again, each time after as many windows as the first time."""
    watch = discover()["cusum"].make({"warmup": 10, "threshold": 5.0}).start()
    for i in range(10):
        watch.step(float(i % 2))
    alarms = [i for i in range(40) if watch.step(2.0).detected]
    gaps = {b - a for a, b in pairwise(alarms)}
    assert len(alarms) > 3
    assert gaps == {alarms[0] + 1}


@every_sequential
def test_what_is_not_a_number_changes_nothing(registered: Registered) -> None:
    watch = detector_of(registered).start()
    for x in (0.0, 1.0, 2.0):
        watch.step(x)
    before = watch.snapshot()
    for x in (float("nan"), float("inf"), float("-inf")):
        score = watch.step(x)
        assert (score.value, bool(score.reason), score.detected) == (None, True, False)
    assert watch.snapshot() == before


@every_sequential
@pytest.mark.parametrize("snapshot", [{}, {"fed": "no", "steps": 1}, {"steps": float("nan")}, {"fed": [float("nan")], "steps": 1}], ids=str)
def test_a_snapshot_of_something_else_is_refused(registered: Registered, snapshot: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="goes on from"):
        detector_of(registered).start(snapshot)


@every_detector
def test_parameters_refuse_nonsense_when_they_are_built(registered: Registered) -> None:
    for name, (kind, default) in registered.parameters.items():
        assert registered.make({name: default}) == registered.make()
        nonsense: list[Any] = [None, [], {}, "" if kind is not str else 1, float("nan"), float("inf"), "ten" if kind is not str else 2.5]
        for wrong in nonsense:
            with pytest.raises(ValueError, match=name):
                registered.make({name: wrong})
        if kind in (int, float) and name != "seed":
            with pytest.raises(ValueError, match=name):
                registered.make({name: -1})
    with pytest.raises(ValueError, match="no parameter 'colour'"):
        registered.make({"colour": 1})


@every_detector
def test_the_docstring_teaches(registered: Registered) -> None:
    text = inspect.getdoc(registered.cls) or ""
    assert doctest.DocTestParser().get_examples(text), "a running example"
    assert "Source:" in text
    assert len(registered.summary) > 40
    for name in registered.parameters:
        assert f"\n    {name}: " in text, f"{name} is explained"


@every_detector
def test_saved_state_is_named_by_id_and_parameters(registered: Registered) -> None:
    names = {registered.digest()} | {
        registered.digest({name: default + 1 if kind is int else default * 0.9 if kind is float else not default})
        for name, (kind, default) in registered.parameters.items()
    }
    assert len(names) == 1 + len(registered.parameters), "another parameter is another state"
    assert all(name.startswith(f"{registered.id}:") for name in names), "and no module path is in it"


def test_one_file_is_one_detector() -> None:
    folder = Path(registry.__file__).parent
    files = [p for room in ("comparators", "sequential") for p in (folder / room).glob("[!_]*.py")]
    assert len(files) == len(ALL)


def test_listing_detectors_does_not_load_river() -> None:
    """A configuration is checked in a fraction of a second."""
    program = "import sys; from detectors.registry import discover; discover(); print('river' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


PLUGIN = '''\
from dataclasses import dataclass
from detectors.registry import detector
from detectors.score import Score

@detector("half", kinds=("numeric",))
@dataclass(frozen=True)
class Half:
    """Always says a half."""
    def compare(self, reference, window):
        return Score(0.5)
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[..., str]:
    def write(text: str, name: str = "mine.py") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def test_a_file_is_enough_to_add_one(plugin: Callable[..., str]) -> None:
    found = discover((plugin(PLUGIN),))
    assert set(found) == {*discover(), "half"}
    assert found["half"].make().compare(None, None).value == 0.5


BAD_PLUGINS = [
    (PLUGIN.replace('"half"', '"psi"'), "the detector id 'psi' is taken by detectors.comparators.psi", "the same id twice"),
    (PLUGIN.replace("frozen=True", "frozen=False"), "not a frozen dataclass", "parameters that change under way"),
    (PLUGIN.replace("def compare", "def measure"), "neither compare", "no answer to give"),
    (PLUGIN.replace("    def", "    size: int\n    def"), "every parameter has a default", "a configuration need not name any"),
    ("import nothing_of_this_name", "fails when it is loaded", "an import that fails"),
    ("def broken(:", "fails when it is loaded", "a syntax error"),
    ("raise SystemExit(3)", "fails when it is loaded", "a plug-in does not end the process"),
    ("x = 1", "defines no detector", "a file for nothing"),
]


@pytest.mark.parametrize(("text", "reason", "because"), BAD_PLUGINS, ids=[row[2] for row in BAD_PLUGINS])
def test_a_plugin_that_cannot_be_taken_says_why(plugin: Callable[..., str], text: str, reason: str, because: str) -> None:
    path = plugin(text)
    with pytest.raises(PluginError, match=reason) as caught:
        discover((path,))
    assert caught.value.source == path, because


def test_a_changed_file_is_loaded_again(plugin: Callable[..., str]) -> None:
    """A reload of the configuration takes the new text."""
    path = plugin(PLUGIN)
    assert "half" in discover((path,))
    plugin(PLUGIN.replace("half", "halved"))
    os.utime(path, ns=(1, 1))
    assert "halved" in discover((path,))


def test_two_files_with_one_id(plugin: Callable[..., str]) -> None:
    with pytest.raises(PluginError, match="'half' is taken"):
        discover((plugin(PLUGIN, "a.py"), plugin(PLUGIN, "b.py")))


def test_installed_packages_bring_theirs(plugin: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plugin(PLUGIN.replace("half", "third"), "raincheck_third.py")
    info = tmp_path / "raincheck_third-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: raincheck-third\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{registry.ENTRY_POINTS}]\nthird = raincheck_third\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry.walk.cache_clear()
    try:
        assert "third" in discover()
    finally:
        registry.walk.cache_clear()


def test_a_parameter_of_a_kind_a_file_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError, match="frozen dataclass"):
        detector("x", kinds=("numeric",))(object)
