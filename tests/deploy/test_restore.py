"""A service's state brought back by root: the service's own user must be able to go on with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.stores.backup import copies, restore
from monitor.stores.sqlite import SqliteStore

SERVICE = 61_184  # the first of the numbers that systemd gives to dynamic users


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to somebody else")
def test_what_root_restores_belongs_to_the_service(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    SqliteStore(state).close()
    copies(state)[0].write_bytes(state.read_bytes())
    for path in (tmp_path, *tmp_path.iterdir()):
        os.chown(path, SERVICE, SERVICE)
    state.with_name("state.db.lock").unlink()
    restore(state)
    assert {path.stat().st_uid for path in tmp_path.iterdir()} == {SERVICE}
