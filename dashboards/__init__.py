"""Dashboards for Grafana: what to draw, as data; how Grafana wants it said, in `grafana_json.py`; the files, in `generate.py`."""
