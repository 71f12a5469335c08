# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pextra_audit and pextra_audit_info, on SQLite and on PostgreSQL, with a real socket."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host import log_sockets
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import audit
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.audit import Event
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.audit import resource, spec
from ansible_collections.pextra.cloud.plugins.modules import pextra_audit, pextra_audit_info

Result = dict[str, Any]
Module = Callable[..., Result]
YEAR = 365 * 86400
MEMORY = {"kind": "host", "name": "node3", "node": "node3", "what": "two memory modules of 32 GiB added"}
ORIGIN = {"actor": "ann", "job": "AWX job 42", "revision": "9f8e"}


@pytest.fixture
def module(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, registry: Registry) -> Module:
    monkeypatch.setattr(_internal, "is_controller", False)

    def call(main: Callable[[], None] = pextra_audit.main, **options: Any) -> Result:
        with pytest.raises(SystemExit) as ended, patch_module_args({"registry": registry.url, **options}):
            main()
        result: Result = json.loads(capsys.readouterr().out)
        assert (ended.value.code != 0) == bool(result.get("failed"))
        return result

    return call


def trail(registry: Registry) -> list[tuple[str, str, str, str]]:
    found = audit.read(registry)[::-1]
    return [(one["kind"], one["name"], one["what"], one["outcome"]) for one in found]


def put(registry: Registry, *ages: float) -> None:
    """Append entries that are so many seconds old."""
    for age in ages:
        row = Event("1", "bob at node1", "instance", f"web-{age:g}", "start", "done")._asdict()
        registry.tables.audit_event.insert(at=registry.now() - age, **row).execute()


# Adding


def test_added_as_told(module: Module, registry: Registry) -> None:
    result = module(entries=[MEMORY, {**MEMORY, "outcome": "started"}], **ORIGIN)
    assert (result["changed"], result["actions"]) == (True, ["add 2 entries to the audit trail"])
    (second, first) = audit.read(registry)
    assert first["actor"].startswith("ann at ")
    expected = {**MEMORY, "outcome": "done", "job": "AWX job 42", "revision": "9f8e"}
    assert {name: first[name] for name in expected} == expected
    assert second["outcome"] == "started"
    assert first["run"] == second["run"] != ""


def test_a_check_adds_nothing(module: Module, registry: Registry) -> None:
    result = module(entries=[MEMORY], _ansible_check_mode=True)
    assert (result["changed"], result["actions"]) == (True, ["add 1 entry to the audit trail"])
    assert audit.read(registry) == []


def test_none_to_add(module: Module, registry: Registry) -> None:
    assert module(entries=[])["changed"] is False


def test_all_mistakes_at_once(module: Module, registry: Registry) -> None:
    result = module(
        entries=[MEMORY, {**MEMORY, "what": "two\nlines"}, {**MEMORY, "name": ""}],
        forward={"socket": "dev/log"},
        remove_before="yesterday",
    )
    assert [error["resource"] for error in result["errors"]] == [
        "entries[1] (node3).what",
        "entries[2] ().name",
        "forward.socket",
        "remove_before",
    ]
    assert audit.read(registry) == []


def test_who_is_never_too_long_for_the_database(module: Module, registry: Registry) -> None:
    odd = "\x1b[31m" + "x" * 5000
    assert not module(entries=[MEMORY], actor=odd, job=odd, revision=odd).get("failed")
    (entry,) = audit.read(registry)
    assert all(len(entry[name]) <= 255 and entry[name].isprintable() for name in ("actor", "job", "revision"))


@pytest.mark.parametrize("is_check", [True, False])
def test_where_there_is_no_registry(module: Module, registry: Registry, tmp_path: Path, is_check: bool) -> None:
    url = f"sqlite:///{tmp_path}/none.db"
    lost = module(registry=url, entries=[MEMORY], without_registry="warn", _ansible_check_mode=is_check)
    assert lost["changed"] is False
    assert "there is no registry of this version yet" in str(lost["warnings"])
    refused = module(registry=url, entries=[MEMORY], _ansible_check_mode=is_check)
    assert "Run the coordinator stage of site.yml first" in refused["msg"]
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("without", ["warn", "fail"])
def test_where_the_libraries_are_missing(
    module: Module, registry: Registry, monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    """A host that is being prepared has not even those."""

    def load() -> Any:
        raise ImportError("No module named peewee", name="peewee")

    monkeypatch.setattr(pextra_audit, "load", load)
    result = module(entries=[MEMORY], without_registry=without)
    assert bool(result.get("failed")) == (without == "fail")
    assert "peewee" in str(result["msg"] if without == "fail" else result["warnings"])
    assert audit.read(registry) == []


# Removing


def test_removing_needs_consent_and_is_recorded(
    module: Module, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "_REMOVED_AT_ONCE", 2)
    put(registry, *(2 * YEAR + n for n in range(5)), 60)
    refused = module(remove_before="365d", **ORIGIN)
    assert "this would destroy 5 entries of the audit trail, all that is older than 20" in refused["msg"]
    assert len(audit.read(registry)) == 6
    checked = module(remove_before="365d", confirm="DESTROY", _ansible_check_mode=True)
    assert checked["changed"] is True
    assert len(audit.read(registry)) == 6
    done = module(remove_before="365d", confirm="DESTROY", **ORIGIN)
    assert (done["changed"], len(done["actions"])) == (True, 1)
    (kept, begun, ended) = trail(registry)
    assert kept == ("instance", "web-60", "start", "done")
    assert begun[:2] == ended[:2] == ("audit", "audit trail")
    assert begun[2].startswith("remove 5 entries of the audit trail, older than 20")
    assert (begun[3], ended[3]) == ("started", "done")
    assert audit.read(registry)[0]["job"] == "AWX job 42"
    again = module(remove_before="365d", confirm="DESTROY")
    assert (again["changed"], again["actions"]) == (False, [])
    assert len(audit.read(registry)) == 3


def test_one_that_was_killed_is_gone_on_with(
    module: Module, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is removed is removed, the rest is there, and the trail says that it was begun."""
    monkeypatch.setattr(resource, "_REMOVED_AT_ONCE", 1)
    put(registry, 2 * YEAR, 2 * YEAR, 2 * YEAR)
    real = audit.remove_before

    def fail(*arguments: Any, **options: Any) -> int:
        if len(audit.read(registry)) <= 3:
            raise KeyError("killed")
        return real(*arguments, **options)

    monkeypatch.setattr(audit, "remove_before", fail)
    assert module(remove_before="365d", confirm="DESTROY")["failed"]
    assert [outcome for *_, outcome in trail(registry)] == ["done", "done", "started", "failed"]
    monkeypatch.setattr(audit, "remove_before", real)
    assert not module(remove_before="365d", confirm="DESTROY").get("failed")
    assert [outcome for *_, outcome in trail(registry)] == ["started", "failed", "started", "done"]


@pytest.mark.parametrize("before", ["0s", "23h", "2999-01-01"])
def test_what_is_young_stays(module: Module, registry: Registry, before: str) -> None:
    put(registry, 60, 2 * YEAR)
    result = module(remove_before=before, confirm="DESTROY")
    assert "what is younger than a day is not removed" in result["msg"]
    assert len(audit.read(registry)) == 2


# Sending


@pytest.fixture
def log(tmp_path: Path) -> Iterator[list[bytes]]:
    """What a daemon has read from the socket at `log` in the test's directory."""
    path, read = tmp_path / "log", []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(path))
        stop = threading.Event()

        def receive() -> None:
            bound.settimeout(0.05)
            while not stop.is_set():
                try:
                    read.append(bound.recv(65536))
                except TimeoutError:
                    continue

        thread = threading.Thread(target=receive)
        thread.start()
        yield read
        stop.set()
        thread.join()


def wait_for(read: list[bytes], count: int) -> list[bytes]:
    for _ in range(200):
        if len(read) >= count:
            break
        threading.Event().wait(0.05)
    return read


def test_each_is_sent_once(module: Module, registry: Registry, log: list[bytes], tmp_path: Path) -> None:
    put(registry, 60, 30)
    forward = {"socket": f"{tmp_path}/log", "format": "syslog"}
    checked = module(forward=forward, _ansible_check_mode=True)
    assert checked["actions"] == [f"send 2 entries of the audit trail to {tmp_path}/log"]
    assert module(forward=forward)["actions"] == checked["actions"]
    (first, second) = wait_for(log, 2)
    assert first.startswith(b"<109>1 20")
    assert f" {socket.gethostname()} pextra - instance [pextra@32473 number=".encode() in first
    assert b"web-30" in second
    again = module(forward=forward)
    assert (again["changed"], again["actions"]) == (False, [])
    both = module(entries=[MEMORY], forward=forward)
    assert both["actions"][1] == f"send 1 entry of the audit trail to {tmp_path}/log", "what is added is sent along"
    assert b"memory modules" in wait_for(log, 3)[2]
    assert len(log) == 3


def test_the_journals_own_format(module: Module, registry: Registry, log: list[bytes], tmp_path: Path) -> None:
    put(registry, 60)
    module(forward={"socket": f"{tmp_path}/log"})
    (datagram,) = wait_for(log, 1)
    assert datagram.startswith(b"MESSAGE=instance web-60: start: done, by bob at node1\nPRIORITY=5\n")


def test_many_pages(
    module: Module, registry: Registry, log: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "_READ_AT_ONCE", 3)
    put(registry, *range(10, 1, -1))
    module(forward={"socket": f"{tmp_path}/log"})
    assert len(wait_for(log, 9)) == 9


def test_a_socket_that_is_not_there(module: Module, registry: Registry, tmp_path: Path) -> None:
    put(registry, 60)
    result = module(forward={"socket": f"{tmp_path}/none"})
    assert result["msg"].startswith(f"nothing can be sent to the log socket {tmp_path}/none: No such file or directory")
    assert audit.forwarded(registry, f"{tmp_path}/none") == 0


# Reading


def test_a_page_and_the_next(module: Module, registry: Registry) -> None:
    put(registry, 60, 50, 40)
    first = module(pextra_audit_info.main, limit=2)
    assert [entry["name"] for entry in first["entries"]] == ["web-60", "web-50"]
    assert first["next"] == first["entries"][-1]["number"]
    second = module(pextra_audit_info.main, limit=2, after=first["next"])
    assert [entry["name"] for entry in second["entries"]] == ["web-40"]
    assert (second["next"], second["changed"]) == (None, False)
    assert module(pextra_audit_info.main, limit=3)["next"] is None
    assert second["entries"][0]["time"].endswith("Z")


def test_of_an_organization(module: Module, registry: Registry) -> None:
    registry.put([Row("org-1", "organization", "acme")])
    events = [Event("1", "a", "instance", n, "x", "done", organization=o) for n, o in (("web", "org-1"), ("db", None))]
    audit.record(registry, events)
    for given in ("acme", "org-1"):
        found = module(pextra_audit_info.main, organizations=[given])["entries"]
        assert [entry["name"] for entry in found] == ["web"]
    assert module(pextra_audit_info.main, organizations=["org-gone"])["entries"] == []
    assert "there is no organization amce" in module(pextra_audit_info.main, organizations=["amce"])["msg"]


def test_a_period_by_age(module: Module, registry: Registry) -> None:
    put(registry, 7200, 60)
    found = module(pextra_audit_info.main, since="1h")["entries"]
    assert [entry["name"] for entry in found] == ["web-60"]
    found = module(pextra_audit_info.main, until="1h")["entries"]
    assert [entry["name"] for entry in found] == ["web-7200"]


@pytest.mark.parametrize(
    ("more", "path"),
    [({"since": "x"}, "since"), ({"limit": 0}, "limit"), ({"limit": 10_001}, "limit"), ({"after": -1}, "after")],
)
def test_mistakes_of_the_question(module: Module, registry: Registry, more: Result, path: str) -> None:
    (error,) = module(pextra_audit_info.main, **more)["errors"]
    assert error["resource"] == path


def test_kinds_that_are_recorded_fit_the_database() -> None:
    assert all(len(kind) <= 32 for kind in spec.RECORDED)
    assert os.path.isabs(spec.JOURNAL)


def test_a_daemon_that_is_frozen(
    module: Module, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its queue is full nobody waits for it longer than the bound; what it has not taken comes with the next."""
    monkeypatch.setattr(log_sockets, "_TIMEOUT_S", 0.2)
    most = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
    count = most + 20
    put(registry, *range(count + 1, 1, -1))
    forward = {"socket": f"{tmp_path}/log"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(forward["socket"])
        began = time.monotonic()
        result = module(forward=forward)
        assert time.monotonic() - began < 5
        assert result["msg"].startswith(f"nothing can be sent to the log socket {tmp_path}/log: nobody reads it")
        bound.settimeout(0)
        read: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                read.append(bound.recv(65536))
        assert 0 < len(read) < count

        bound.settimeout(5)
        thread = threading.Thread(target=lambda: read.extend(bound.recv(65536) for _ in range(count - len(read))))
        thread.start()
        module(forward=forward)
        thread.join(10)
    assert {line.split(b"\n")[0] for line in read} == {
        f"MESSAGE=instance web-{age}: start: done, by bob at node1".encode() for age in range(2, count + 2)
    }
