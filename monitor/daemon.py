"""The daemon: one process that reads a plan's streams until it is told to stop.

Two acts: everything is validated before anything is touched (`monitor.config`), then it connects. It stops in reverse
order: SIGTERM or SIGINT saves and leaves with 0 within a budget, a second one leaves at once. SIGHUP reads the configuration
again: one with mistakes is refused and the old one stays in force, a good one takes effect by the same way as a restart, which
loses nothing: save, leave, and begin again as the same process. All verdicts between two beginnings are made under one plan.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from monitor import wall
from monitor.changes import Changes
from monitor.errors import Misconfigured, Transient
from monitor.http import Server, create_app
from monitor.http.server import listen
from monitor.insistence import insistence
from monitor.log import events
from monitor.office import Office
from monitor.plan import Plan, sharded
from monitor.reload import Reload
from monitor.rounds import LIVES
from monitor.schedule import Schedule
from monitor.sinks.deadletter import Producer
from monitor.sinks.notify import Notifier
from monitor.sources.source import Source
from monitor.stores.backup import left_behind
from monitor.stores.export import iso
from monitor.stores.holding import held
from monitor.stores.sqlite import SqliteStore
from monitor.systemd import Supervisor, status_line
from monitor.workshop import Workshop

if TYPE_CHECKING:  # it loads pandas, which only a file of frames needs
    from monitor.backtesting import Learnt

log = events("daemon")
STOP_BUDGET_S = 20.0
AGAIN = -1  # no exit code: begin again as the same process, with the configuration as it is now
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
HEARD_S = 0.2  # after which a stop is heard while a file is learnt from
RETRY_S = 1.0  # pause after a round whose transaction failed


def source_of(plan: Plan) -> Source:
    """The source that a plan names; only the daemon knows which there are."""
    if plan.kafka is None:
        raise Misconfigured.of("is missing", field="kafka", right="kafka: {bootstrap: [host:port]}; or use replay, backtest, demo")
    if not plan.streams:
        raise Misconfigured.of("is empty", field="streams", right="at least one stream with its topic and role")
    from monitor.sources.kafka import KafkaSource

    # by all models of the plan, also those of other shards: every instance then begins at the same record
    since_ms = {name: age_ms for name in plan.streams if (age_ms := plan.since_ms(name)) is not None}
    topics = {name: stream.topic for name, stream in plan.streams.items()}
    return KafkaSource(plan.kafka, topics, since_ms=since_ms, part="{}/{}".format(*plan.shard))


def _letters(plan: Plan) -> Producer | None:
    if plan.dead_letter.to != "topic" or plan.kafka is None:
        return None
    from monitor.sources.kafka_letters import LetterProducer

    return LetterProducer(plan.kafka)


def run(read: Callable[[], Plan], *, port: int | None = None) -> int:
    """Runs the plan that `read` gives until a signal; the exit code, or AGAIN after a hangup where it then gives a plan without mistakes.

    `port` overrides the plan's (0: a free one, which is logged).
    """
    plan, stop, supervisor = read(), threading.Event(), Supervisor()
    reload = Reload(lambda: tried(read(), plan, port))
    with insistence(lambda number: _stopping(number, stop)):
        before = signal.signal(signal.SIGHUP, reload.hangup)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # what came while one process took the other's place is heard now
        try:
            _live(plan, stop, reload, supervisor, port)
        finally:
            signal.signal(signal.SIGHUP, before)
    again = reload.accepted and not stop.is_set()
    log.info("begins_again" if again else "stopped")  # who reads the log must not take a reload for an end
    return AGAIN if again else 0


def tried(new: Plan, old: Plan, port: int | None = None) -> Plan:
    """The new plan, if a daemon could begin under it while the old one's still runs; Misconfigured says why it could not.

    What is in force is not given up for what fails a second later: another address is listened on, another state locked, for a moment.
    """
    if new.kafka is None or not new.streams:
        source_of(new)
    if port is None and new.http.port and (new.http.bind, new.http.port) != (old.http.bind, old.http.port):
        listen(new.http.bind, new.http.port).close()
    if Path(new.state.path).resolve() != Path(old.state.path).resolve():
        with held(Path(new.state.path)):
            pass
    return new


def _live(plan: Plan, stop: threading.Event, reload: Reload, supervisor: Supervisor, port: int | None) -> None:
    """From the first connection to the last, under one plan."""
    source = source_of(plan)
    store = SqliteStore(plan.state.path)
    with Workshop() as pool:
        mine = sharded(plan)
        office = Office(
            mine, source, store, lambda metrics: Notifier(mine, metrics),
            letters=_letters(plan), decoding=plan, pool=pool, reload=reload.ask,
        )  # fmt: skip
        server = Server(
            create_app(office, clock=wall.now_ms, count=office.counted), plan.http.bind, plan.http.port if port is None else port
        )
        schedule = Schedule(office)
        try:
            bound = server.start()
            _opened(office)
            _given(office, pool, stop)
            if not stop.is_set():
                office.start()
                schedule.start()
                log.info("started", models=sorted(plan.models), http=f"http://{plan.http.bind}:{bound}/")
                supervisor.ready()
            turn_until(office, stop, supervisor, reload)
        finally:
            with ExitStack() as leaving:  # each step whatever became of the others; what is pushed first is done last
                if reload.accepted:
                    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
                leaving.callback(server.stop)
                leaving.callback(office.stop, STOP_BUDGET_S / 2)
                leaving.callback(pool.shutdown)  # learning that runs is asked for again after the next start
                leaving.callback(schedule.stop)
                leaving.callback(office.leave)
                leaving.callback(supervisor.reloading if reload.accepted else supervisor.stopping)


def _opened(office: Office) -> None:
    """Which state this is, and whether anything is known in it.

    A path that was mistyped looks like a first start, so every fresh one is a warning: what nobody expected must not pass for learning.
    """
    engine, path = office.rounds.engine, str(Path(office.plan.state.path).resolve())
    ends = [standing.next_ms for standing in engine.standings.values() if standing.next_ms is not None]
    if ends or engine.positions() or engine.references:
        log.info("state_opened", path=path, outcome="snapshot", windows_until=iso(max(ends)) if ends else "none yet")
    else:
        right, beside = "nothing at its first start; else stop it and look at state.path: another file knows what would be learnt anew", {}
        if left := left_behind(Path(path)):
            right = f"nothing, if a new beginning was meant; else stop it, {left.command(Path(path))}, and start it"
            beside = {"copy": str(left.path), "copy_made": left.made}
        log.warning("state_opened", path=path, outcome="fresh", windows_until="none yet", **beside, right=right)


def _given(office: Office, pool: Executor, stop: threading.Event) -> None:
    """References that the plan names as files: built ones, or frames that are learnt from once; then they are kept in the state."""
    for name, model in office.plan.models.items():
        if model.reference.file is None or name in office.rounds.engine.references:
            continue
        log.info("reference_from_file", model=name, file=model.reference.file)
        learnt = from_file(office.plan, name, model.reference.file, pool, stop)
        if learnt is None:
            return
        office.store.save(Changes(windows=list(learnt.rows)))  # nights and refits learn from them again
        office.rounds.engine.given(*learnt.models[name])
    office.rounds.save()


def from_file(plan: Plan, name: str, file: str, pool: Executor, stop: threading.Event) -> Learnt | None:
    """What a file says of a model; None where we are told to stop meanwhile: the model begins again with the next start.

    Learning from a large file takes minutes, in the process that nights are learnt in. One that something ended (out of memory, by
    hand) is begun again; Misconfigured where that happens as often as nights are forgiven.
    """
    from monitor.backtesting import given

    for _ in range(LIVES):
        learning = pool.submit(given, replace(plan, models={name: plan.models[name]}), file, of=name if len(plan.models) > 1 else "")
        while not wait([learning], HEARD_S).done:
            if stop.is_set():
                return None
        try:
            return learning.result()
        except BrokenProcessPool as error:
            log.warning("learning_ended", model=name, file=file, why=str(error))
    problem = f"could not be learnt from: the process that did was ended {LIVES} times, as one is that needs more memory than there is"
    right = "more memory, a shorter file, or what `raincheck reference build` makes of it elsewhere"
    raise Misconfigured.of(problem, field=f"models.{name}.reference.file", value=file, right=right)


def turn_until(office: Office, stop: threading.Event, supervisor: Supervisor, reload: Reload) -> None:
    """Rounds until `stop` is set or a new configuration waits; a state that cannot be saved holds reading back, and is tried again."""
    while not stop.is_set() and not reload.due(office.telemetry.metrics):
        try:
            office.turn()
        except Transient as error:
            log.warning("held_back", why=str(error))
            stop.wait(RETRY_S)
        supervisor.round(office.health(), lambda: status_line(office.models(), office.source.status()))


def _stopping(number: signal.Signals, stop: threading.Event) -> None:
    log.info("stopping", signal=number.name)
    stop.set()
