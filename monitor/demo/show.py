"""The play on a terminal: progress, evidence against threshold, true accuracy, and what happens, line by line."""

from __future__ import annotations

import json
import logging
import math
import signal
import sys
import threading
from types import FrameType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from monitor.demo.play import Play, Told, demo_plan, stage
from monitor.demo.world import Hour
from monitor.http import Server, create_app
from monitor.phrases import phrase
from monitor.wording import closing, when

BAR = 28


def perform(*, once: bool, port: int, seed: int, as_json: bool) -> int:
    """Plays the story; serves its pages unless `once`, and then until Ctrl-C or SIGTERM."""
    logging.getLogger("raincheck").setLevel(logging.WARNING)  # the story is told here, not in log lines
    console = Console(stderr=as_json, highlight=False)
    play = stage(demo_plan(port), seed)
    server = None if once else Server(create_app(play.office, clock=play.now_ms, count=play.office.counted), "127.0.0.1", port)
    stop = threading.Event()
    address = ""
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell starts what runs in the background with SIGINT ignored
        signal.signal(number, _stopper(stop))
    try:
        play.office.start()
        if server is not None:
            address = f"http://127.0.0.1:{server.start()}/"
            console.print(f"Watch it at [bold]{address}[/bold] while the story goes on. Ctrl-C ends it.")
        _story(play, console, stop)
        summary = play.summary()
        if as_json:
            sys.stdout.write(json.dumps(summary) + "\n")
            sys.stdout.flush()
        if server is not None and not stop.is_set():
            console.print(f"The story is over; its pages stay at [bold]{address}[/bold] until Ctrl-C.")
            _linger(play, stop)
    except KeyboardInterrupt:
        pass
    finally:
        if server is not None:
            server.stop()
        play.office.stop(1.0)
    return 0


def _story(play: Play, console: Console, stop: threading.Event) -> None:
    console.print("A camera looks at a traffic light; a small classifier says red, amber or green, and always answers.")
    report = play.train()
    console.print(f"The classifier is trained: {report.accuracy:.1%} right on {report.held_out_pictures} pictures it has never seen.")
    console.print("raincheck sees pictures and answers, no labels. It learns two weeks of clean traffic, then it judges.\n")
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        for hour, told in play.hours():
            for item in told:
                live.console.print(_line(play, item))
            live.update(_panel(play, hour))
            if stop.is_set():
                return
    console.print()
    summary = play.summary()
    for went in summary["episodes"]:
        found = went["paged_after_windows"]
        outcome = "no page" if found is None else f"paged in window {found}"
        style = "green" if (found is not None) == went["harmful"] else "red"
        console.print(
            f"  {went['name']:<12} accuracy {went['accuracy_before']:.0%} -> {went['accuracy_during']:.0%}   [{style}]{outcome}[/{style}]"
        )
    answered = f', answered "false": {summary["answered_false"]}' if summary["answered_false"] else ""
    console.print(f"  pages while nothing was wrong: {summary['false_pages']}{answered}\n")


def _line(play: Play, told: Told) -> Text:
    at = when(play.story.start_ms + told.hour * play.story.window_ms)
    if told.episode is not None:
        verb = {"begins": "begins", "ends": "is over"}[told.what]
        kind = "harmful" if told.episode.harmful else "harmless, a control"
        return Text(f"{at}   {told.episode.name} {verb} ({kind})", style="yellow")
    assert told.incident is not None
    if told.what == "page":
        subjects = "; ".join(phrase(s) for s in told.incident.subjects[:3])
        return Text(f"{at}   PAGE to {told.incident.owner}: {subjects}, since {when(told.incident.onset_ms)}", style="bold red")
    how = "back to normal" if told.incident.resolution == "recovered" else closing(told.incident)
    return Text(f"{at}   resolved: {how}", style="bold green")


def _panel(play: Play, hour: Hour) -> Table:
    view = play.office.models()[0]
    table = Table.grid(padding=(0, 2))
    done = (hour.index + 1) / play.story.windows
    table.add_row(when(hour.start_ms), _bar(done, "blue"), f"week {hour.index // 168 + 1}, {view.stage}")
    last = view.last
    if last is not None and math.isfinite(last.evidence) and math.isfinite(last.threshold):
        share = min(1.0, max(0.0, last.evidence / last.threshold))
        style = "red" if share >= 1 or view.open_incidents else "green"
        table.add_row("evidence", _bar(share, style), f"10^{max(last.evidence, 0):.1f}, a page at 10^{last.threshold:.1f}")
    else:
        table.add_row("evidence", _bar(view.learnt, "blue"), f"learning, {view.learnt:.0%}")
    recent = play.accuracy[-6:]
    right = sum(recent) / len(recent)
    table.add_row(
        "true accuracy", _bar(right, "green" if right > 0.9 else "red"), f"{right:.0%} over six hours (raincheck cannot see this)"
    )
    return table


def _bar(share: float, style: str) -> Text:
    full = round(share * BAR)
    return Text("━" * full, style=style) + Text("━" * (BAR - full), style="dim")


def _linger(play: Play, stop: threading.Event) -> None:
    """The pages stay alive: answers are still taken."""
    while not stop.wait(0.2):
        play.office.turn(0)


def _stopper(stop: threading.Event):  # type: ignore[no-untyped-def]
    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.set()

    return handle
