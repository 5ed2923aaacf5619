"""A service's state brought back by root: the service's own user must be able to go on with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.stores.backup import restore
from monitor.stores.lives import copies
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to somebody else")
@pytest.mark.parametrize("link", ["state.db.lock", "state.db.restoring"])
def test_what_the_service_has_linked_to_is_not_given_to_it(tmp_path: Path, link: str) -> None:
    """The folder is the service's own, so it may put any name there before root comes."""
    state, secret = tmp_path / "service" / "state.db", tmp_path / "secret"
    SqliteStore(state).close()
    copies(state)[0].write_bytes(state.read_bytes())
    secret.write_bytes(b"root's own")
    place = state.with_name(link)
    place.unlink(missing_ok=True)
    place.symlink_to(secret)
    for path in (state.parent, *state.parent.iterdir()):
        os.chown(path, SERVICE, SERVICE, follow_symlinks=False)
    restore(state)
    assert (secret.stat().st_uid, secret.read_bytes()) == (0, b"root's own")
    assert not state.is_symlink()
