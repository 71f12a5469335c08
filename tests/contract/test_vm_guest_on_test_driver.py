# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done in guests, from options to the guest, on libvirt's test driver.

It has clocks, passwords, addresses and file systems for each domain, and no agent to run programs: a small one here
runs them on this machine, and speaks as qemu-guest-agent does.
"""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from subprocess import PIPE
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pextra.cloud.plugins.module_utils import _runner
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt import agent, connection
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.hypervisor import Hypervisor
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import audit
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import HypervisorError, Problem
from ansible_collections.pextra.cloud.plugins.modules import pextra_vm, pextra_vm_guest, pextra_vm_guest_info
from guards.project import returned

Module = Callable[..., dict[str, Any]]
HASH = "$6$saltsalt$" + "h" * 86
VMS = [{"name": f"web-{n}", "node": f"node{n}", "memory": "256 MiB", "power": "running"} for n in (1, 2)]
ROOT = {"image": "tiny", "root": {"pool": "local", "size": "1 GiB"}}


class Agent:
    """Runs programs, and tells how they are. said: what it says instead of an answer."""

    def __init__(self) -> None:
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        self.asked: list[str] = []
        self.said: str | None = None

    def answer(self, command: Mapping[str, Any]) -> str:
        self.asked.append(command["execute"])
        if self.said is not None:
            return self.said
        arguments = command["arguments"]
        if command["execute"] == "guest-exec":
            argv = [arguments["path"], *arguments["arg"]]
            process = subprocess.Popen(argv, stdin=PIPE, stdout=PIPE, stderr=PIPE)
            assert process.stdin is not None
            process.stdin.write(base64.b64decode(arguments.get("input-data", "")))
            process.stdin.close()
            process.stdin = None
            self.running[process.pid] = process
            return json.dumps({"return": {"pid": process.pid}})
        process = self.running[arguments["pid"]]
        code = process.poll()
        if code is None:
            return json.dumps({"return": {"exited": False}})
        found: dict[str, Any] = {"exited": True, **({"signal": -code} if code < 0 else {"exitcode": code})}
        for name, data in zip(("out-data", "err-data"), process.communicate(), strict=True):
            found[name] = base64.b64encode(data).decode()
        return json.dumps({"return": found})


@pytest.fixture
def guest(monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    found = Agent()

    def ask(self: Hypervisor, uuid: str, command: Mapping[str, Any], resource: str) -> Generator[float, None, str]:
        return self._of_agent("ask the guest's agent", uuid, resource, lambda _: found.answer(command))

    monkeypatch.setattr(Hypervisor, "ask_agent", ask)
    yield found
    for process in found.running.values():
        process.kill()
        process.communicate()


@pytest.fixture
def module(small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Module:
    """Run a module on a cloud with two instances, and return its result."""

    def open_cloud(_: Any, __: Any) -> Cloud:
        small_cloud.refresh_nodes()
        return small_cloud

    monkeypatch.setattr(_runner, "_open", open_cloud)

    def run(main: Callable[[], None] = pextra_vm_guest.main, **options: Any) -> dict[str, Any]:
        with patch_module_args({"registry": small_cloud.registry.url, **options}), pytest.raises(SystemExit):
            main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    assert run(pextra_vm.main, vms=[vm | ROOT for vm in VMS])["changed"]
    return run


def told(result: dict[str, Any], *keys: str) -> list[tuple[Any, ...]]:
    return [tuple(vm[key] for key in keys) for vm in result["vms"]]


def test_a_program_runs_in_several_guests(module: Module, guest: Agent, small_cloud: Cloud) -> None:
    script = "cat; echo oops >&2; printf '\\033[31mred\\033[0m'"
    result = module(name=["web-1", "web-2"], action="run", argv=["/bin/sh", "-c", script], stdin="text\n", actor="ann")
    assert not result.get("failed"), result["msg"]
    assert result["changed"]
    assert (
        told(result, "rc", "signal", "stdout", "stderr", "truncated") == [(0, None, "text\nred", "oops\n", False)] * 2
    )
    assert result["vms"][0].keys() == returned("pextra_vm_guest")["vms"]["contains"].keys()
    events = audit.read(small_cloud.registry, names=["web-1"])
    assert (events[0]["what"], events[0]["outcome"]) == ("run /bin/sh in the guest", "done")
    assert guest.asked.count("guest-exec") == 2


def test_a_program_that_fails_is_a_failure_with_what_it_said(module: Module, guest: Agent) -> None:
    result = module(name="web-1", action="run", argv=["/bin/sh", "-c", "echo why; exit 3"])
    assert result["failed"]
    assert result["msg"] == (
        "node1: instance web-1: /bin/sh exited with 3 in the guest. What it said is in the result."
    )
    assert told(result, "rc", "stdout") == [(3, "why\n")]
    result = module(name="web-1", action="run", argv=["/bin/sh", "-c", "kill -9 $$"])
    assert "/bin/sh was ended by signal 9 in the guest" in result["msg"]
    assert told(result, "rc", "signal") == [(None, 9)]


def test_a_program_that_takes_too_long_goes_on(module: Module, guest: Agent) -> None:
    begun = time.monotonic()
    result = module(name="web-1", action="run", argv=["/bin/sleep", "60"], timeout_s=1)
    assert time.monotonic() - begun < 15
    (pid,) = guest.running
    assert f"/bin/sleep did not end within 1 s, and goes on in the guest (process {pid})" in result["msg"]


@pytest.mark.parametrize("said", ["", "{}", '{"return": {"pid": "x"}}', "[" * 100_000])
def test_an_agent_that_answers_nonsense(module: Module, guest: Agent, said: str) -> None:
    guest.said = said
    result = module(name="web-1", action="run", argv=["/bin/true"])
    assert "the guest's agent does not answer as it should" in result["msg"]
    assert "Traceback" not in result["msg"]


def test_a_check_asks_no_guest(module: Module, guest: Agent) -> None:
    result = module(name="web-1", action="run", argv=["/bin/true"], _ansible_check_mode=True, _ansible_diff=True)
    assert result["changed"]
    assert result["actions"] == ["instance web-1 on node1: run /bin/true in the guest"]
    assert told(result, "rc", "stdout") == [(None, None)]
    assert guest.asked == []


def test_a_guest_without_an_agent(module: Module) -> None:
    """As libvirt's test driver, which has none."""
    result = module(name="web-1", action="run", argv=["/bin/true"])
    assert result["failed"]
    assert "ask the guest's agent (guest-exec)" in result["msg"]


def test_a_node_that_does_not_answer_stops_only_its_own(module: Module, guest: Agent, small_cloud: Cloud) -> None:
    small_cloud.unreachable["node2"] = Problem("it does not answer", "Check it.", "node2")
    result = module(name=["web-1", "web-2"], action="run", argv=["/bin/true"])
    assert result["msg"] == "node2: instance web-2: it does not answer. Check it."
    assert told(result, "rc", "power") == [(0, "running"), (None, "unknown")]


def test_password_and_clock(module: Module, calls: Any) -> None:
    result = module(name="web-1", action="set_password", user="ann", hashed_password=HASH)
    assert not result.get("failed"), result["msg"]
    assert calls["virDomainSetUserPassword"] == 1
    assert HASH not in json.dumps(result)
    assert module(name="web-1", action="set_time")["changed"]
    assert calls["virDomainSetTime"] == 1


def test_what_guests_say_of_themselves(module: Module, small_cloud: Cloud) -> None:
    small_cloud.hypervisor("node2")._connection.lookupByName("web-2").suspend()
    result = module(pextra_vm_guest_info.main)
    assert result["changed"] is False
    first, second = result["vms"]
    documented = returned("pextra_vm_guest_info")["vms"]["contains"]
    assert [vm.keys() for vm in result["vms"]] == [documented.keys()] * 2
    assert first["interfaces"] == []
    assert first["file_systems"][0].keys() == documented["file_systems"]["contains"].keys()
    assert (first["name"], first["node"], first["power"], first["answers"], first["why"]) == (
        *("web-1", "node1", "running"),
        *(True, None),
    )
    assert first["time"] == 627319920
    assert first["file_systems"][1] == {"mountpoint": "/boot", "name": "vda2", "type": "ext4", "disks": ["vda"]}
    assert (second["power"], second["answers"], second["why"], second["time"]) == (
        "paused",
        False,
        "it is paused",
        None,
    )
    assert [vm["name"] for vm in module(pextra_vm_guest_info.main, names=["web-2"])["vms"]] == ["web-2"]
    small_cloud.unreachable["node1"] = Problem("it does not answer", "Check it.", "node1")
    (vm,) = module(pextra_vm_guest_info.main, names=["web-1"])["vms"]
    assert (vm["power"], vm["answers"], vm["why"]) == ("unknown", False, "node1: it does not answer. Check it.")


def drain(asking: Iterator[float]) -> None:
    for pause_s in asking:
        time.sleep(pause_s)


def test_guests_that_hang_cost_their_own_bound_alone(
    module: Module, small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five of them on one node, of which four are asked at once: what needs no guest is done meanwhile."""
    monkeypatch.setattr(agent, "_ASK_LIMIT_S", 0.5)
    monkeypatch.setattr(agent, "_ask_all", lambda _: end.wait(30))
    # Another connection of the test driver is another host.
    monkeypatch.setattr(connection, "_MOST_LEFT_ALONE", 100)
    end, hypervisor = threading.Event(), small_cloud.hypervisor("node1")
    uuid = hypervisor._connection.lookupByName("web-1").UUIDString()

    def ask(_: int) -> str:
        with pytest.raises(HypervisorError) as failed:
            drain(hypervisor.read_guest(uuid, "instance web-1"))
        return failed.value.problems[0].what

    with ThreadPoolExecutor(max_workers=4) as threads:
        begun = time.monotonic()
        asked = [threads.submit(ask, number) for number in range(4)]
        time.sleep(0.2)
        assert hypervisor.state_of(uuid, "") == "running"
        waiting = hypervisor.read_guest(uuid, "instance web-1")
        assert next(waiting) == 0.1, "a fifth one is not asked yet"
        assert {one.result() for one in asked} == {
            "ask the guest's agent: no answer within 0.5 s, while libvirtd answers"
        }
        assert time.monotonic() - begun < 5
    monkeypatch.setattr(agent, "_PLACE_LIMIT_S", 0.3)
    with pytest.raises(HypervisorError, match="other guests of this node"):
        drain(hypervisor.read_guest(uuid, "instance web-1"))
    end.set()
    drain(waiting)
