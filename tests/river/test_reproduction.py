"""An incident computed again: whatever was answered, released or interrupted, the deciding window comes out as it was recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as forall
from hypothesis import strategies as st

from monitor import config, learn
from monitor.backtesting import given
from monitor.batch import Records, Slice
from monitor.casefile import CaseFile, opened
from monitor.changes import Changes
from monitor.codecs import codec_for
from monitor.engine import Engine
from monitor.errors import Misconfigured
from monitor.incident import Answer, Incident
from monitor.learning import Due
from monitor.plan import Plan
from monitor.reference_file import ReferenceFile
from monitor.reproduction import Reproduction, reproduce
from monitor.rounds import Rounds
from monitor.sources.files import FilesSource
from monitor.sources.memory import Bus, MemorySource
from monitor.sources.recording import Recorder
from monitor.sources.source import Note, Source
from monitor.stores.sqlite import SqliteStore
from tests.river.world import HOUR_MS, START_MS, configuration, events

LEARNT = 8 * 24
PER_HOUR = 60
NOW_MS = START_MS + 30 * 24 * HOUR_MS  # the broker's clock: no event is from its future


class Ear:
    """A listener that hears nothing."""

    def decoded(self, records: Records, piece: Slice) -> None: ...

    def noted(self, note: Note) -> None: ...

    def saved(self, changes: Changes, engine: Engine, seconds: float) -> None: ...

    def save_failed(self, error: Exception) -> None: ...

    def learning_failed(self, due: Due, error: Exception) -> None: ...

    def ticked(self, engine: Engine, source: Source) -> None: ...


class Life:
    """A live run on a bus in this process: hours are sent, read in uneven turns, saved, and interrupted."""

    def __init__(self, folder: Path, most: int = 700, crashes: frozenset[int] = frozenset()) -> None:
        """`most` records a poll and partition; `crashes`: turns after which the process is gone with what it had not saved."""
        self.folder, self.most, self.crashes, self.turns = folder, most, crashes, 0
        self.plan: Plan = config.compile(configuration())
        self.bus = Bus(lambda: NOW_MS)
        self.bus.create("in", partitions=2)
        self.bus.create("out")
        self.store = SqliteStore(folder / "state.db")
        self.rounds = self._begin()

    def source(self, most: int | None = None) -> MemorySource:
        return MemorySource(self.bus, {"in": "in", "out": "out"}, most=most or self.most)

    def _begin(self) -> Rounds:
        codecs = {name: codec_for(self.plan, stream) for name, stream in self.plan.streams.items()}
        rounds = Rounds(self.plan, self.source(), self.store, codecs, listener=Ear(), ticks=False)
        rounds.start()
        return rounds

    def restart(self) -> None:
        """The process is gone with what it had not saved; the next one goes on from the state."""
        self.store.close()
        self.store = SqliteStore(self.folder / "state.db")
        self.rounds = self._begin()

    def send(self, hours: range, shifted: int | None = None, partitions: int = 2) -> None:
        inputs, outputs = events(hours, PER_HOUR, shifted)
        for number in range(partitions):
            self.bus.extend("in", list(inputs[number::partitions]), number)
        self.bus.extend("out", list(outputs))

    def read(self) -> None:
        while self.rounds.turn(0) or self.rounds.engine.due():
            self.turns += 1
            if self.turns in self.crashes:
                self.restart()
        self.rounds.save()

    def open_page(self) -> Incident:
        (found,) = [i for i in self.rounds.engine.incidents.values() if i.severity == "page"]
        return found

    def reproduce(self, incident: str, source: Source | None = None, **more: Any) -> Reproduction:
        return reproduce(self.case(incident), self.store, source or self.source(), self.plan, **more)

    def case(self, incident: str) -> CaseFile:
        return opened(self.plan, self.store, incident)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    run = lived(Life(tmp_path_factory.mktemp("life")))
    yield run
    run.store.close()


def lived(run: Life) -> Life:
    """Two pages with an answer between them, restarts, a partition that fell silent and was released."""
    run.send(range(LEARNT + 20))
    run.read()
    run.restart()
    run.send(range(LEARNT + 20, LEARNT + 30))
    run.read()
    run.send(range(LEARNT + 30, LEARNT + 34), shifted=3)
    run.rounds.turn(0)  # read, and not saved
    run.restart()
    run.read()
    engine = run.rounds.engine
    run.rounds.submit(lambda: engine.answer(run.open_page().id, Answer("false", "someone", "as every spring", NOW_MS)))
    run.read()
    run.send(range(LEARNT + 34, LEARNT + 50))
    run.read()
    run.restart()
    run.send(range(LEARNT + 50, LEARNT + 60), shifted=5, partitions=1)
    run.read()
    engine = run.rounds.engine
    reached = {name: (offset, offset) for name, offset in engine.positions().items()}
    for now_ms in (NOW_MS, NOW_MS + 60_000):  # silent for a minute while the others moved
        engine.tick(now_ms, reached)
    run.read()
    return run


def pages(life: Life) -> list[Incident]:
    return [i for i in life.store.incidents() if i.severity == "page"]


def test_the_life_has_what_the_law_is_about(life: Life) -> None:
    """Without this the law below could hold for a life in which nothing happens."""
    assert len(pages(life)) == 2
    assert {"learned", "answer", "tick", "assigned"} <= {row.kind for row in life.store.inputs()}


def test_every_incident_reproduces(life: Life) -> None:
    for incident in life.store.incidents():
        found = life.reproduce(incident.id)
        assert (found.outcome, found.parts, found.why) == ("same", "", ""), incident.id
        assert found.found is not None
        assert found.found.evidence == pytest.approx(incident.evidence, abs=1e-6)
        assert found.windows > 0
        assert found.begun_ms is not None
        assert found.begun_ms <= incident.onset_ms, "from before the onset"


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@forall(most=st.integers(90, 1500), crashes=st.frozensets(st.integers(1, 25), max_size=6))
def test_every_life_reproduces(most: int, crashes: frozenset[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    """However it was read and wherever it was interrupted."""
    run = lived(Life(tmp_path_factory.mktemp("life"), most, crashes))
    assert len(pages(run)) == 2
    for incident in run.store.incidents():
        found = run.reproduce(incident.id, run.source(1000))
        assert (found.outcome, found.parts, found.why) == ("same", "", ""), incident.id
    run.store.close()


@pytest.mark.parametrize("most", [1, 97, 2000])
def test_however_the_records_come(life: Life, most: int) -> None:
    assert life.reproduce(pages(life)[0].id, life.source(most)).outcome == "same"


def test_rules_a_partition_that_joins_and_one_that_cannot_be_read(tmp_path: Path) -> None:
    """While it still learns: the inputs of the source's own accidents are applied again where they took effect."""
    run = Life(tmp_path)
    for hours in (range(20), range(20, 30)):
        run.send(hours)
        run.read()
    run.bus.widen("in", 3)
    run.send(range(30, 52), partitions=3)
    run.read()
    inputs, outputs = events(range(52, 54), PER_HOUR)
    bare = [value.replace(b'"x0": ', b'"renamed": ') for value in inputs]
    for number in range(3):
        run.bus.extend("in", list(bare[number::3]), number)
    run.bus.extend("out", list(outputs))
    run.read()
    run.restart()
    run.send(range(54, 56), partitions=3)
    run.bus.corrupt("in", 1, run.bus.topics["in"].logs[1].end - 5)
    run.send(range(56, 60), partitions=3)
    run.read()
    rules = {incident.rule for incident in run.store.incidents()}
    assert {"missing:x0", "unreadable:in/1"} <= rules
    assert {"assigned", "blocked"} <= {row.kind for row in run.store.inputs()}
    for incident in run.store.incidents():
        found = run.reproduce(incident.id)
        assert (found.outcome, found.parts, found.why) == ("same", "", ""), incident.id
    run.store.close()


def test_a_topic_that_comes_late_is_waited_for_from_then_on(tmp_path: Path) -> None:
    """Until it came windows were partial; that it had come is an input, or some would be partial in a replay that were whole."""
    run = Life(tmp_path)
    run.bus.delete("out")
    inputs, outputs = events(range(24), PER_HOUR)
    bare = [value if i < 20 * PER_HOUR else value.replace(b'"x0": ', b'"renamed": ') for i, value in enumerate(inputs)]

    def send(hours: range) -> None:
        for number in range(2):
            run.bus.extend("in", list(bare[hours.start * PER_HOUR + number : hours.stop * PER_HOUR : 2]), number)

    send(range(16))
    run.read()
    run.bus.create("out")
    run.rounds.turn(0)
    send(range(16, 24))
    run.read()
    run.bus.extend("out", list(outputs[16 * PER_HOUR :]))
    run.read()
    assert {v.partial for v in run.store.verdicts() if v.start_ms >= START_MS + 16 * HOUR_MS} == {False}
    assert [row.kind for row in run.store.inputs()] == ["assigned", "blocked", "unblocked"]
    (broken,) = [incident for incident in run.store.incidents() if incident.rule == "missing:x0"]
    found = run.reproduce(broken.id)
    assert (found.outcome, found.parts, found.why) == ("same", "", "")
    assert found.found is not None
    assert not found.found.partial, "the window that decided was whole"
    run.store.close()


def test_a_reference_given_as_a_file_is_an_input_too(tmp_path: Path) -> None:
    """Judged from the first window on, and reproduced from the first record on; a partition that joins later changes nothing."""
    run = Life(tmp_path)
    rows: dict[str, list[Any]] = {"time": []}
    for value, answer in zip(*events(range(LEARNT), PER_HOUR), strict=True):
        event = json.loads(value)
        for name, item in {**event["features"], "prediction": json.loads(answer)["label"]}.items():
            rows.setdefault(name, []).append(item)
        rows["time"].append(event["at"])
    frame = pd.DataFrame(rows).assign(time=pd.to_datetime(rows["time"], unit="ms", utc=True))
    learnt = learn(configuration(), frame)
    ReferenceFile(*learnt.models["shop"], learnt.counts["shop"], learnt.rows).write(tmp_path / "normal.reference")

    reference, chain = given(run.plan, tmp_path / "normal.reference").models["shop"]
    run.rounds.engine.given(reference, chain)
    run.send(range(LEARNT, LEARNT + 6))
    run.read()
    run.restart()
    run.send(range(LEARNT + 6, LEARNT + 16), shifted=3)
    run.read()
    page = run.open_page()
    assert page.subjects[0].name == "x3"
    assert {v.reference for v in run.store.verdicts()} == {reference.name}, "as `raincheck reference show` names it"
    run.bus.widen("in", 3)
    run.bus.extend("in", list(events(range(LEARNT, LEARNT + 2), PER_HOUR)[0]), 2)
    found = run.reproduce(page.id)
    assert (found.outcome, found.parts, found.why, found.begun_ms) == ("same", "", "", 0)
    run.store.close()


def test_from_the_beginning_where_no_checkpoint_is_kept(life: Life) -> None:
    """All inputs are there since the first record, so learning is repeated with the references that were learnt then."""
    newest = pages(life)[0].id
    whole = replace(life.case(newest), inputs=life.store.inputs(), checkpoint=_first(life))
    found = reproduce(whole, life.store, life.source(), life.plan)
    assert (found.outcome, found.parts, found.why) == ("same", "", "")
    assert {"learned", "answer"} <= {row.kind for row in whole.inputs[: found.inputs]}


def _first(life: Life) -> Any:
    from monitor.changes import Checkpoint, Snapshot

    assert life.store.inputs()[0].seq == 0
    return Checkpoint("shop", 0, "", Snapshot())


@pytest.mark.parametrize("late_ms", [HOUR_MS // 2, 30 * 24 * HOUR_MS])
def test_what_an_answer_kept_from_being_judged_is_not_judged_again(late_ms: int, tmp_path: Path) -> None:
    """Mended, said its owner, and broken on: the second page comes after the windows that had begun, and reproduces."""
    run = Life(tmp_path)
    run.send(range(LEARNT + 20))
    run.send(range(LEARNT + 20, LEARNT + 24), shifted=3)
    run.read()
    first, engine = run.open_page(), run.rounds.engine
    at_ms = (engine.standings["shop"].next_ms or 0) + late_ms
    run.rounds.submit(lambda: engine.answer(first.id, Answer("fixed", "someone", "wiped", at_ms)))
    run.read()
    run.restart()
    run.send(range(LEARNT + 24, LEARNT + 40), shifted=3)
    run.read()
    second = run.open_page()
    assert second.onset_ms > (first.resolved_ms or first.opened_ms)
    found = run.reproduce(second.id)
    assert (found.outcome, found.parts, found.why) == ("same", "", "")
    run.store.close()


def test_from_a_recording_in_any_order(life: Life, tmp_path: Path) -> None:
    """One partition stands after the other in the file: what is not yet wanted is held back, nothing waits for ever."""
    source, path = life.source(2000), tmp_path / "all.jsonl.gz"
    source.start({}, {})
    taken = [item for _ in range(60) for item in source.poll(0) if isinstance(item, Records)]
    with Recorder(path) as recorder:
        for records in sorted(taken, key=lambda r: r.partition):
            recorder.write(records)
    for incident in pages(life):
        files = FilesSource([path], life.plan.streams)
        assert life.reproduce(incident.id, files, over=lambda files=files: files.finished).outcome == "same"


def test_what_differs_is_told_with_the_first_window_that_does(life: Life) -> None:
    page = pages(life)[0]
    case = life.case(page.id)
    start = min(case.verdicts) + HOUR_MS
    tampered = replace(case, verdicts={**case.verdicts, start: replace(case.verdicts[start], events=7)})
    found = reproduce(tampered, life.store, life.source(), life.plan)
    assert found.outcome == "different"
    assert found.parts == f"window shop:{start}: events {PER_HOUR} instead of 7"


def test_an_answer_left_out_is_noticed(life: Life) -> None:
    """The inputs matter: without the answer the second page could not have been sent."""
    case = life.case(pages(life)[0].id)
    first = replace(life.case(pages(life)[1].id), incident=case.incident, verdicts=case.verdicts)
    without = replace(first, inputs=[row for row in first.inputs if row.kind != "answer"])
    assert reproduce(without, life.store, life.source(), life.plan).outcome == "different"


def test_records_that_retention_took_are_counted(life: Life, tmp_path: Path) -> None:
    page = pages(life)[0]
    position = life.case(page.id).positions()["in/0"]
    trimmed = Bus(lambda: NOW_MS)
    for topic, partitions in (("in", 2), ("out", 1)):
        trimmed.create(topic, partitions)
        for number, log in enumerate(life.bus.topics[topic].logs):
            trimmed.extend(topic, list(log.values), number)
    trimmed.topics["in"].identity = life.store.identities()["in"]
    trimmed.topics["out"].identity = life.store.identities()["out"]
    trimmed.trim("in", 0, position + 5)
    found = life.reproduce(page.id, MemorySource(trimmed, {"in": "in", "out": "out"}))
    assert (found.outcome, found.missing) == ("gone", {"in/0": 5})


def test_a_topic_made_anew_is_another_topic(life: Life) -> None:
    other = Bus(lambda: NOW_MS)
    for topic, partitions in (("in", 2), ("out", 1)):
        other.create("x" + topic)  # identities are numbered: these must be others
        other.create("y" + topic)
        other.create(topic, partitions)
    found = life.reproduce(pages(life)[0].id, MemorySource(other, {"in": "in", "out": "out"}))
    assert found.outcome == "gone"
    assert "another one" in found.why


def test_an_unknown_incident_is_a_mistake_with_those_that_are_known(life: Life) -> None:
    with pytest.raises(Misconfigured, match=pages(life)[0].id):
        life.case("shop-nothing")


def test_a_checkpoint_for_each_day_that_has_ended(life: Life) -> None:
    closed = len(life.store.verdicts())
    found = {point.at_ms for hour in range(closed + 1) if (point := life.store.checkpoint("shop", START_MS + hour * HOUR_MS)) is not None}
    assert len(found) == closed // 24
    for day, at_ms in enumerate(sorted(found), 1):
        assert at_ms >= START_MS + day * 24 * HOUR_MS, "with the first save after the day"
