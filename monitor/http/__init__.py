"""The web side: metrics, health, the API and the pages, all behind one desk."""

from __future__ import annotations

from monitor.http.app import create_app
from monitor.http.server import Server

__all__ = ["Server", "create_app"]
