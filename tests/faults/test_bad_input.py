"""Bad input, each kind by itself and all together: where it is counted, what is set aside, and that its neighbours never notice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from PIL import ImageFile

from monitor.plan import Plan
from monitor.stores.export import iso
from tests.faults.poison import BETWEEN_MS, Bad, framed, good, picture, table, written
from tests.faults.twin import Account, Clock, Twin, compiled
from tests.faults.witness import BRISK, Witness, account
from tests.river.world import HOUR_MS, START_MS, configuration
from tests.services.broker import Broker
from tests.services.feed import Feed
from tests.services.river import River

HOURS, PER_HOUR, PLACE = 5, 20, 50  # the bad ones stand in the midst of the third window
CELLS = {"missing": 0, "not_finite": 1, "invalid": 2}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock().set(monkeypatch)


def run(clock: Clock, plan: Plan, values: list[bytes | None]) -> Account:
    twin = Twin(plan, clock=clock)
    twin.bus.extend("in", values)
    return twin.end()


def among(bad: tuple[bytes | None, ...], hours: int = HOURS) -> list[bytes | None]:
    values: list[bytes | None] = [*good(range(hours), PER_HOUR)]
    return [*values[:PLACE], *bad, *values[PLACE:]]


ROWS = [
    pytest.param(bad, to, id=f"{bad.name}, {to}")
    for bad in table()
    for to in ("file", "topic")
    if to == "file" or bad.outcome == "rejected"
]


@pytest.mark.parametrize(("bad", "to"), ROWS)
def test_each_by_itself(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: Bad, to: str) -> None:
    decoded: set[tuple[int, int]] = set()
    load = ImageFile.ImageFile.load

    def noted(image: ImageFile.ImageFile) -> Any:
        decoded.add(image.size)
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", noted)
    where = {"to": to} | ({"path": str(tmp_path / "dead.jsonl")} if to == "file" else {"topic": "dead"})
    plan = compiled(dead_letter=where)
    found = run(clock, plan, among(bad.values))
    n = len(bad.values)

    refused = n if bad.outcome == "rejected" else 0
    assert [(row["offset"], row["reason"], row["topic"]) for row in found.letters] == [
        (PLACE + i, bad.reason, "in") for i in range(refused)
    ], bad.because
    assert (found.metric("raincheck_records_rejected_total", stream="in", reason=bad.reason) or 0) == refused
    assert (found.metric("raincheck_dead_letters_total", stream="in") or 0) == refused
    if bad.outcome == "adjusted":
        assert found.metric("raincheck_records_adjusted_total", stream="in", reason=bad.reason) == n
    if bad.outcome == "late":
        assert found.metric("raincheck_late_events_total", model="m") == n
    counted = {("m" if bad.outcome == "late" else "in", bad.reason): n} if bad.outcome in ("rejected", "adjusted", "late") else {}
    pictures = {key: found.counts[key] for key in found.counts if key[1].startswith("picture: ")}
    assert found.counts == counted | pictures, "counted once, in one place"
    own = bad.outcome in ("skipped", "folded") or bad.reason == "clamped_stamp"
    assert found.events == HOURS * PER_HOUR + own * n, "windows + counters = the ledger"
    assert decoded == {(16, 16)}, "what is refused from its header is never decoded"

    # an oracle run without it, or, where it is an event, with its like that lacks the bad value only
    if bad.outcome == "folded":
        oracle = run(clock, plan, among((framed(picture("PNG")),)))
        assert found.columns() == oracle.columns(), bad.because
        return
    if bad.outcome != "skipped":
        oracle = run(clock, plan, among(()))
        assert [_told(v) for v in found.verdicts()] == [_told(v) for v in oracle.verdicts()]
        assert found.columns() == oracle.columns(), "neighbours are judged as if it had not been there"
        return
    path = {"speed": "sensors", "weather": "weather", "frame": "frame"}[bad.column]
    oracle = run(clock, plan, among((written(**{path: None}),)))
    theirs, mine = oracle.columns(), found.columns()
    for start, columns in mine.items():
        for name, content in columns.items():
            if name.partition(".")[0] != bad.column or start != START_MS + 2 * HOUR_MS:
                assert content == theirs[start][name], (start, name)
                continue
            # one value, and only its cell: of the others each is where it was
            missing, *cells = _cells(content)
            before, *others = _cells(theirs[start][name])
            place = CELLS[bad.reason] - 1 if len(cells) > 1 else 0
            if bad.reason == "missing":
                assert (missing, cells) == (before, others)
            else:
                assert missing == before - 1
                assert [c - o for c, o in zip(cells, others, strict=True)] == [int(i == place) for i in range(len(cells))], name


def _cells(content: Any) -> list[int]:
    """Missing, (not finite,) invalid."""
    return list(content[:2]) if isinstance(content[-1], dict) else list(content[:3])


def _told(verdict: Any) -> tuple[Any, ...]:
    return (verdict.start_ms, verdict.events, verdict.status, verdict.reason, round(verdict.evidence, 9), verdict.partial)


LEARNT = 10 * 24  # hours: eight days are learnt from, two are judged


def test_all_together_while_a_model_is_learnt_and_judged(clock: Clock, tmp_path: Path) -> None:
    """Bad records in every hour of learning and judging: the same reference, the same evidence in every window, to the last digit."""
    plan = compiled(
        model={"schema": {"features": {"speed": {"kind": "numeric", "path": "sensors.speed"}, "weather": "categorical"}}},
        dead_letter={"to": "file", "path": str(tmp_path / "dead.jsonl")},
    )
    refused = [bad for bad in table() if bad.outcome in ("rejected", "late") or bad.reason in ("tombstone", "unknown_model")]
    refused = [bad for bad in refused if bad.name != "20 MB"]
    clean: list[bytes | None] = [*good(range(LEARNT), PER_HOUR)]
    spoilt, expected = [*clean[:PLACE]], Counter[str]()
    for place in range(PLACE, len(clean), 100):
        bad = refused[place // 100 % len(refused)]
        expected[bad.reason] += len(bad.values)
        spoilt += [*bad.values, *clean[place : place + 100]]
    found, oracle = run(clock, plan, spoilt), run(clock, plan, clean)
    assert [_told(v) for v in found.verdicts()] == [_told(v) for v in oracle.verdicts()]
    assert {v.status for v in oracle.verdicts()[-24:]} == {"ok"}, "the last day is judged"
    assert {reason: n for (_, reason), n in found.counts.items()} == expected
    assert oracle.counts == {}
    letters = Counter(row["reason"] for row in found.letters)
    assert letters == Counter({reason: n for reason, n in expected.items() if reason not in ("late", "tombstone", "unknown_model")})


def test_types_that_change_half_way_are_a_broken_schema_and_no_lost_record(clock: Clock) -> None:
    values: list[bytes | None] = [*good(range(3), PER_HOUR)]
    for hour in range(3, 6):
        for i in range(PER_HOUR):
            at = START_MS + hour * HOUR_MS + i * (HOUR_MS // PER_HOUR)
            values.append(written(id=f"{hour}-{i}", at=at, sensors={"speed": f"{i} km/h"}))
    found, oracle = run(clock, compiled(), values), run(clock, compiled(), [*good(range(6), PER_HOUR)])
    assert found.counts == {}, "not one record is refused"
    assert found.events == oracle.events == len(values)
    (page,) = [incident for incident in found.store.incidents("m") if incident.severity == "page"]
    assert (page.kind, page.rule, page.onset_ms) == ("rule", "invalid:speed", START_MS + 3 * HOUR_MS)
    assert list(oracle.store.incidents("m")) == []
    for start, columns in found.columns().items():
        theirs = oracle.columns()[start]
        assert {k: v for k, v in columns.items() if k.startswith("frame")} == {k: v for k, v in theirs.items() if k.startswith("frame")}


def spoil(river: River, values: list[bytes | None]) -> None:
    """Sends them by a producer that takes 20 MB, too."""
    producer: Any = KafkaProducer(bootstrap_servers=river.feed.bootstrap, max_request_size=30_000_000)
    for value in values:
        producer.send(river.topics["in"], value, key=b"bad", partition=0).get(20)
    producer.close(timeout=10)


def hours_with(river: River, bad: list[Bad], dead: str) -> tuple[dict[str, Any], dict[int, dict[str, object]]]:
    """Nine hours with these in the fifth: every counter of the daemon is as the table says; the account of what was judged."""
    daemon = river.start(program=BRISK)
    witness = Witness(daemon)
    river.send(range(5))
    river.when_closed(daemon, 3)
    before, values = witness.rss_mib(), [_shop(value) for row in bad for value in row.values]
    spoil(river, values)  # those that are events go into an hour that is open still
    consumed = 5 * PER_STREAM + len(values)
    witness.until(lambda: witness.gauge("raincheck_records_consumed_total", stream="in") == consumed, "all were read")
    river.send(range(5, 9))
    river.when_closed(daemon, 7)
    expected = Counter(row.reason for row in bad for _ in row.values if row.outcome == "rejected")
    for reason, count in expected.items():
        assert witness.gauge("raincheck_records_rejected_total", stream="in", reason=reason) == count
    kept = expected.total() or None
    witness.until(lambda: witness.gauge("raincheck_dead_letters_total", stream="in") == kept, "each is set aside")
    assert river.feed.ends(dead)[0] == expected.total()
    assert witness.peak_mib() < before + 400, "400 million pixels of three bytes would be 1,200 MB"
    assert daemon.terminate() == 0
    return account(river.state)


@pytest.mark.kafka
def test_all_of_them_in_one_topic_of_the_real_daemon(kafka_broker: Broker, feed: Feed, tmp_path: Path) -> None:
    """Refused ones end in the dead-letter topic, one message each; windows, verdicts and the memory are those of a run without them."""
    bad = [row for row in table() if row.outcome != "folded" and row.reason != "clamped_stamp"]
    accounts = []
    for name, rows in (("clean", []), ("spoilt", bad)):
        dead, folder = feed.create(), tmp_path / name
        folder.mkdir()
        river = River(kafka_broker, feed, folder, models=_pictured(), dead_letter={"to": "topic", "topic": dead})
        river.topics["in"] = river.plan["streams"]["in"]["topic"] = feed.create(partitions=2, max_message_bytes="30000000")
        river.write()
        try:
            accounts.append(hours_with(river, rows, dead))
        finally:
            river.close()
    (clean, columns), (found, theirs) = accounts
    assert clean["counts"] == []
    told = {(row["of"], row["reason"]): row["count"] for row in found["counts"] if not row["reason"].startswith("picture: ")}
    assert told == Counter(
        ("shop" if row.outcome == "late" else "in", row.reason) for row in bad for _ in row.values if row.outcome in COUNTED
    )
    events = sum(len(row.values) for row in bad if row.outcome == "skipped")
    for one, other in zip(clean["verdicts"], found["verdicts"], strict=True):
        spoilt = one["start"] == iso(START_MS + 4 * HOUR_MS)
        assert other == one | {"events": one["events"] + (events if spoilt else 0)}
    for start in columns.keys() - {START_MS + 4 * HOUR_MS}:
        assert repr(theirs[start]) == repr(columns[start]), "to the last value; NaN is what is missing"


PER_STREAM = 60  # events an hour
COUNTED = ("rejected", "adjusted", "late")


def _pictured() -> dict[str, Any]:
    models: dict[str, Any] = configuration()["models"]
    models["shop"]["schema"]["features"]["frame"] = {"kind": "image", "path": "frame"}
    return models


def _shop(value: bytes | None) -> bytes | None:
    """The same mistake among the events of the river's model, in the newest hour."""
    at = START_MS + 5 * HOUR_MS - 1
    return None if value is None else value.replace(b'"model": "m"', b'"model": "shop"').replace(str(BETWEEN_MS).encode(), str(at).encode())
