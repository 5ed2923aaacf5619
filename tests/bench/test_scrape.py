"""The storm's bench tells what it says it does: both rates, their ratio, and how long the scrapers waited."""

from __future__ import annotations

import json

import pytest

from monitor.__main__ import main


def test_the_last_line_is_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "scrape", "--json", "--series", "300", "--events", "3000", "--rounds", "1", "--scrapers", "3"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    figures = told["figures"]
    assert told["bench"] == "scrape"
    alone, scraped = (figures[f"events_per_wall_second_{how}"] for how in ("alone", "scraped"))
    assert figures["ratio"] == pytest.approx(scraped / alone), "of one round each"
    assert figures["ratio_cpu"] > 0
    assert figures["scrapes"] >= 3, "each of them was under way"
    assert 0 < figures["scrape_ms_median"] <= figures["scrape_ms_max"]
    assert figures["scrape_bytes"] > 300, "and got the series, compressed"
