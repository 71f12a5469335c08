# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import leases
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.leases import Leases
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import LeaseError, RegistryError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LIFETIME_S", 1.0)
    monkeypatch.setattr(leases, "_RENEW_EVERY_S", 0.2)
    monkeypatch.setattr(leases, "_RETRY_EVERY_S", 0.05)


def take(registry: Registry, *keys: str, timeout_s: float = 0, holder: str = "ann at node1") -> Leases:
    return Leases(registry, keys, holder=holder, timeout_s=timeout_s)


def keys(registry: Registry) -> list[str]:
    return [lease["key"] for lease in leases.read(registry)]


def test_held_and_released(registry: Registry) -> None:
    with take(registry, "vm b", "vm a", "vm a") as held:
        assert keys(registry) == ["vm a", "vm b"]
        assert not held.has_waited
        (first, _) = leases.read(registry)
        assert first["holder"] == "ann at node1"
        assert "token" not in first
    assert keys(registry) == []


def test_released_after_an_error(registry: Registry) -> None:
    with pytest.raises(KeyError), take(registry, "vm a"):
        raise KeyError
    assert keys(registry) == []


def test_none_at_all(registry: Registry) -> None:
    with take(registry):
        assert keys(registry) == []


def test_different_resources_do_not_wait(registry: Registry) -> None:
    with take(registry, "vm a"), take(registry, "vm b") as second:
        assert not second.has_waited
        assert keys(registry) == ["vm a", "vm b"]


def test_who_holds_it_and_since_when(registry: Registry) -> None:
    with take(registry, "vm a", "vm b", holder="bob at node2 (process 7)"):
        with pytest.raises(LeaseError) as caught, take(registry, "vm b", "vm c", timeout_s=0.1):
            pass
        (problem,) = caught.value.problems
        assert problem.resource == "vm b"
        assert problem.what.startswith("bob at node2 (process 7) has been changing it since ")
        assert problem.what.endswith(" UTC; waited 0.1 s")
        assert "raise lease_timeout" in problem.remedy
        # All or none: vm c was not left behind.
        assert keys(registry) == ["vm a", "vm b"]


def test_the_second_waits(registry: Registry) -> None:
    released = threading.Event()

    def hold() -> None:
        with take(registry, "vm a"):
            taken.set()
            time.sleep(0.4)
            released.set()

    taken = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(5)
    with take(registry, "vm a", timeout_s=10) as second:
        assert released.is_set()
        assert second.has_waited
    thread.join()


def test_it_is_renewed_while_held(registry: Registry) -> None:
    with take(registry, "vm a"):
        time.sleep(1.5)
        with pytest.raises(LeaseError), take(registry, "vm a"):
            pass


def test_a_renewal_that_fails_is_tried_again(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    with take(registry, "vm a") as held:
        real, failed = registry.transaction, threading.Event()

        def fail_once(work: object) -> object:
            if not failed.is_set() and threading.current_thread().name == "lease-renewer":
                failed.set()
                raise RegistryError("busy")
            return real(work)  # type: ignore[arg-type]

        monkeypatch.setattr(registry, "transaction", fail_once)
        assert failed.wait(5)
        time.sleep(1.5)
        assert keys(registry) == ["vm a"]
        assert held is not None


KILLED = """
import os, sys
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import leases
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
leases.LIFETIME_S = 1.0
with Registry(sys.argv[1]) as registry:
    with leases.Leases(registry, ["vm a"], holder="killed", timeout_s=0):
        os.kill(os.getpid(), 9)
"""


def test_a_killed_runs_lease_expires(registry_url: str, registry: Registry) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    subprocess.run([sys.executable, "-c", KILLED, registry_url], env=environment, check=False, timeout=60)
    assert [lease["holder"] for lease in leases.read(registry)] == ["killed"]
    with pytest.raises(LeaseError, match="killed has been changing it"), take(registry, "vm a"):
        pass
    with take(registry, "vm a", timeout_s=10) as held:
        assert held.has_waited
    assert keys(registry) == []


RIVAL = """
import sys, time
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import leases
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
leases._RETRY_EVERY_S = 0.01
url, path = sys.argv[1:]
with Registry(url) as registry:
    for n in range(10):
        with leases.Leases(registry, ["vm a", f"vm {n}", "vm z"], holder="rival", timeout_s=60):
            with open(path, "x"):  # another one inside would be an error
                time.sleep(0.005)
            import os; os.unlink(path)
"""


def test_only_one_is_inside(registry_url: str, registry: Registry, tmp_path: object) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    rivals = [
        subprocess.Popen([sys.executable, "-c", RIVAL, registry_url, f"{tmp_path}/inside"], env=environment)
        for _ in range(4)
    ]
    assert [rival.wait(60) for rival in rivals] == [0, 0, 0, 0]
    assert keys(registry) == []


def test_many_use_what_one_may_not_change(registry: Registry) -> None:
    def use(key: str) -> Leases:
        return Leases(registry, [], shared=[key], holder="user", timeout_s=0)

    with use("pool a"), use("pool a"):
        assert [(lease["key"], bool(lease["shared"])) for lease in leases.read(registry)] == [("pool a", True)] * 2
        with pytest.raises(LeaseError, match="user has been using it since"), take(registry, "pool a"):
            pass
        with take(registry, "pool b"), pytest.raises(LeaseError), use("pool b"):
            pass
    with take(registry, "pool a"):
        pass


def test_who_stood_still_stops(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own clock, before the registry lets another one have it."""
    with take(registry, "vm a") as held:
        held.require()
        now = leases._clock()
        monkeypatch.setattr(leases, "_clock", lambda: now + 0.95)  # of the second that it lives
        with pytest.raises(LeaseError, match="has lost its leases, since it or the registry stood still"):
            held.require()


def test_who_lost_it_stops(registry: Registry) -> None:
    """Another one has it: the renewal finds out, and so does whatever is decided in the registry."""
    with take(registry, "vm a", "vm b") as held:
        table = registry.tables.lease
        table.delete().where(table.key == "vm a").execute()
        with pytest.raises(LeaseError):
            registry.transaction(held.require_in_registry)
    with take(registry, "vm a", "vm b") as held:
        table.delete().where(table.key == "vm a").execute()
        time.sleep(0.5)
        with pytest.raises(LeaseError):
            held.require()


def test_expiry_is_by_the_databases_clock(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose clock is wrong neither takes what others hold nor lets go of what it holds."""
    with take(registry, "vm a"):
        monkeypatch.setattr(registry, "now", lambda real=registry.now: real())
        monkeypatch.setattr(time, "time", lambda: 4e9)
        if not registry.url.startswith("sqlite"):  # its clock is the host's
            with pytest.raises(LeaseError), take(registry, "vm a"):
                pass
            assert keys(registry) == ["vm a"]
