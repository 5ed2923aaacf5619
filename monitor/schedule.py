"""Coarse jobs on the wall clock: copies of the state, forgetting what is older than the plan keeps. Windows have their own ticker.

APScheduler follows the wall clock, in UTC, with `misfire_grace_time=None`: a job that a clock step or a suspended machine
made late still runs. What changes the state is only asked for here, and done on the engine's thread, which owns the file.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.schedulers.background import BackgroundScheduler

from monitor import wall
from monitor.log import events
from monitor.office import Office
from monitor.standing import forget_before
from monitor.stores.backup import back_up
from monitor.stores.lives import copies, formers, imprint

log = events("schedule")
HOUR_MS: Final = 3_600_000
FIRST_COPY_S: Final = 60.0  # after a start, which has better to do than to read its state once more


class Schedule:
    """The daemon's jobs, by name."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._jobs: dict[str, Callable[[], None]] = {}
        self._scheduler = BackgroundScheduler(
            timezone="UTC", job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        self._scheduler.add_listener(self._misfired, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        self._add("retention", self.retention, hour=3, minute=17)
        self._add("backup", self.backup, minute=43)

    def start(self) -> None:
        self._scheduler.start()
        now_ms, state = wall.now_ms(), Path(self._office.plan.state.path)
        newest = copies(state)[0]
        found = imprint(newest) if newest.exists() else None
        if (
            found is None or now_ms - found.made_ms > HOUR_MS or found.life != imprint(state).life
        ):  # else an hour of answers hangs on one file
            self._scheduler.modify_job("backup", next_run_time=datetime.fromtimestamp(now_ms / 1000 + FIRST_COPY_S, UTC))

    def due(self, name: str) -> datetime:
        """When a job runs next, once it has been started."""
        when: datetime = self._scheduler.get_job(name).next_run_time
        return when

    def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def now(self, name: str) -> None:
        """Does a job at once, on the caller's thread; counted as ever. KeyError for a name that is none."""
        self._jobs[name]()

    def retention(self) -> None:
        """Forgets windows, resolved incidents and delivered alerts older than `state.keep`."""
        office = self._office

        def forget() -> int:
            before_ms = forget_before(office.rounds.engine.standings.values(), office.plan.state.keep_ms)
            return 0 if before_ms is None else office.store.prune(before_ms)

        gone = office.rounds.submit(forget).result(timeout=300)
        log.info("pruned", rows=gone)

    def backup(self) -> None:
        """A checked copy beside the state, on the scheduler's own thread: it reads through a connection of its own, and nobody waits."""
        started = wall.monotonic()
        state = Path(self._office.plan.state.path)
        made, apart = back_up(state), [str(copy) for copy in formers(state)]
        log.info("backed_up", path=str(made), bytes=made.stat().st_size, seconds=round(wall.monotonic() - started, 3), former=apart)

    def _misfired(self, event: JobEvent) -> None:
        """A run that did not take place, because it came too late or the one before had not ended."""
        self._office.telemetry.metrics.inc("raincheck_task_misfires_total", task=event.job_id)

    def _add(self, name: str, job: Callable[[], None], **when: int) -> None:
        def counted() -> None:
            metrics = self._office.telemetry.metrics
            metrics.inc("raincheck_task_runs_total", task=name)
            try:
                job()
            except CancelledError:  # the engine has left: another night does it
                return
            except Exception:
                metrics.inc("raincheck_task_failures_total", task=name)
                log.exception("task_failed", task=name)
                return
            metrics.set("raincheck_task_last_success_timestamp_seconds", wall.now_ms() / 1000, task=name)

        self._jobs[name] = counted
        self._scheduler.add_job(counted, "cron", id=name, **when)
