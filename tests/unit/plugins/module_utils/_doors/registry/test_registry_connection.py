# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No call to the registry waits for ever, and two registries in one process do not meet."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import connection as _connection
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import leases
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import RegistryError
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row

ROW = Row("pool-1", "pool", "local")


def test_two_registries_in_one_process(registry: Registry, tmp_path: Path) -> None:
    with Registry(f"sqlite:///{tmp_path}/other.db", create=True) as other:
        other.put([ROW])
        assert registry.rows("pool") == []
        registry.put([Row("pool-2", "pool", "fast")])
        assert [row.name for row in other.rows("pool")] == ["local"]
    assert [row.name for row in registry.rows("pool")] == ["fast"]


def test_calls_end_before_a_lease_does() -> None:
    assert _connection.CALL_TIMEOUT_S < leases._SAFE_SHARE * leases.LIFETIME_S
    assert _connection._LOCK_TIMEOUT_S < _connection.CALL_TIMEOUT_S


@contextmanager
def frozen(url: str) -> Iterator[None]:
    """Stop all processes of the server at `url`, of which this fixture is the only one here."""
    directory = url.rpartition("host=")[2]
    postmaster = int(Path(directory, "data", "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    processes = [postmaster, *map(int, children)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@pytest.mark.parametrize("registry_url", ["postgresql"], indirect=True)
def test_a_frozen_server_costs_its_bound(registry_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_connection, "CALL_TIMEOUT_S", 0.5)
    with Registry(registry_url, create=True) as registry:
        registry.put([ROW])
        with frozen(registry_url):
            begun = time.monotonic()
            with pytest.raises(RegistryError, match=r"failed: it did not answer within 0\.5 s"):
                registry.rows("pool")
            with pytest.raises(RegistryError, match="did not answer"):
                registry.put([ROW])
            with pytest.raises(RegistryError, match="cannot be used: it did not answer"):
                Registry(registry_url)
            assert time.monotonic() - begun < 5
        # It goes on as if nothing had been.
        assert registry.rows("pool") == [ROW]


@pytest.mark.parametrize("registry_url", ["postgresql"], indirect=True)
def test_a_connection_that_was_cut_is_made_anew(registry_url: str) -> None:
    with Registry(registry_url, create=True) as registry, Registry(registry_url) as other:
        registry.put([ROW])
        mine = registry.database.connection().info.backend_pid
        other.database.execute_sql("SELECT pg_terminate_backend(%s)", (mine,))
        with pytest.raises(RegistryError, match="failed"):
            registry.rows("pool")
        assert registry.rows("pool") == [ROW]


@pytest.mark.parametrize("registry_url", ["postgresql"], indirect=True)
def test_who_hangs_in_a_transaction_stops_nobody_for_long(registry_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_connection, "_LOCK_TIMEOUT_S", 1)
    with Registry(registry_url, create=True) as hanging, Registry(registry_url) as other:

        def hang() -> None:
            begun = time.monotonic()
            while time.monotonic() - begun < 20:  # the server lets go of the lock of the one that does nothing
                with suppress(RegistryError):
                    other.put([ROW])
                    return

        with pytest.raises(RegistryError, match=r"idle-in-transaction|already closed"):
            hanging.transaction(lambda: hang() or hanging.put([ROW]))
        assert other.rows("pool") == [ROW]


@pytest.mark.parametrize("registry_url", ["postgresql"], indirect=True)
def test_a_call_that_the_server_cancels_is_a_registry_error(registry_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_connection, "_LOCK_TIMEOUT_S", 1)
    with Registry(registry_url, create=True) as registry:
        with pytest.raises(RegistryError, match="statement timeout"):
            registry.transaction(lambda: registry.database.execute_sql("SELECT pg_sleep(5)"))
        registry.put([ROW])
        assert registry.rows("pool") == [ROW]
