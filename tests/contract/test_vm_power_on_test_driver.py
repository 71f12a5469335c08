# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to an instance's power, from options to what libvirt has: on the test driver, and on SQLite."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import libvirt
import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pextra.cloud.plugins.module_utils import _runner
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt import connection, guests, power
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.hypervisor import Hypervisor
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import audit
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance import apply_power
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_power.resource import PowerResource
from ansible_collections.pextra.cloud.plugins.modules import pextra_vm, pextra_vm_info, pextra_vm_power
from guards.project import returned

Result = dict[str, Any]
Module = Callable[..., Result]
VMS = [{"name": f"web-{n}", "node": f"node{n}", "memory": "256 MiB", "power": "running"} for n in (1, 2)]


@pytest.fixture
def module(small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Module:
    """Run a module with some options on a cloud with two instances, and return its result."""

    def open_cloud(_: Any, __: Any) -> Cloud:
        small_cloud.refresh_nodes()
        return small_cloud

    monkeypatch.setattr(_runner, "_open", open_cloud)

    def run(main: Callable[[], None] = pextra_vm_power.main, **options: Any) -> Result:
        with patch_module_args({"registry": small_cloud.registry.url, **options}), pytest.raises(SystemExit):
            main()
        result: Result = json.loads(capsys.readouterr().out)
        return result

    assert run(pextra_vm.main, vms=VMS)["changed"]
    return run


def raw(cloud: Cloud, number: int = 1) -> libvirt.virDomain:
    return cloud.hypervisor(f"node{number}")._connection.lookupByName(f"web-{number}")


def powers(result: Result) -> dict[str, str]:
    return {vm["name"]: vm["power"] for vm in result["vms"]}


def test_a_restart_stops_and_starts(module: Module, small_cloud: Cloud) -> None:
    before = [raw(small_cloud, number).ID() for number in (1, 2)]
    result = module(name=["web-1", "web-2"], action="restart")
    assert result["changed"]
    assert powers(result) == {"web-1": "running", "web-2": "running"}
    assert [vm.keys() for vm in result["vms"]] == [returned("pextra_vm_power")["vms"]["contains"].keys()] * 2
    assert result["actions"] == [
        f"instance web-{n} on node{n}: register, stop, start, note that it runs" for n in (1, 2)
    ]
    after = [raw(small_cloud, number).ID() for number in (1, 2)]
    assert all(new > old for new, old in zip(after, before, strict=True))
    assert all("power" not in row.attributes for row in small_cloud.registry.rows("instance"))
    assert module(name="web-1", action="restart")["changed"], "an act is done anew at each call"


def test_it_is_in_the_audit_trail(module: Module, small_cloud: Cloud) -> None:
    module(name="web-2", action="reset", actor="ann")
    event = audit.read(small_cloud.registry)[0]
    assert tuple(event[key] for key in ("kind", "name", "what", "outcome", "node")) == (
        *("instance", "web-2", "reset", "done"),
        "node2",
    )
    assert event["actor"].startswith("ann at ")


@pytest.mark.parametrize("action", ["restart", "reset", "pause", "save", "nmi"])
def test_a_check_says_what_it_would_do_and_does_nothing(module: Module, small_cloud: Cloud, action: str) -> None:
    before, identity = raw(small_cloud).state(), raw(small_cloud).ID()
    result = module(name="web-1", action=action, _ansible_check_mode=True, _ansible_diff=True)
    assert result["changed"]
    assert len(result["actions"]) == 1
    assert result["diff"][0]["before"].splitlines() == ["power: running"]
    assert (raw(small_cloud).state(), raw(small_cloud).ID()) == (before, identity)
    assert powers(result) == {"web-1": "running"}


def test_pause_and_resume(module: Module, small_cloud: Cloud) -> None:
    assert powers(module(name="web-1", action="pause")) == {"web-1": "paused"}
    assert raw(small_cloud).state()[0] == libvirt.VIR_DOMAIN_PAUSED
    assert module(name="web-1", action="pause")["changed"] is False
    result = module(name=["web-1", "web-2"], action="resume")
    assert result["actions"] == ["instance web-1 on node1: resume"]
    assert powers(result) == {"web-1": "running", "web-2": "running"}
    assert module(name="web-1", action="resume")["changed"] is False


def test_what_is_saved_goes_on_only_where_there_is_room(module: Module, small_cloud: Cloud) -> None:
    """Another one has started in the room that it left, and pextra_vm refuses it as well."""
    have = small_cloud.hypervisor("node1").host().memory
    large = {"memory": f"{have * 2 // 3} MiB", "node": "node1"}
    assert module(pextra_vm.main, name="web-1", **large, allow_restart=True, force_stop=True)["changed"]
    assert powers(module(name="web-1", action="save")) == {"web-1": "saved"}
    assert module(pextra_vm.main, name="other", **large, power="running")["changed"]
    for main, options in ((pextra_vm_power.main, {"action": "resume"}), (pextra_vm.main, {"power": "running"})):
        refused = module(main, name="web-1", **options)
        assert "node1 has no room for it" in refused["msg"]
    assert not raw(small_cloud).isActive()
    assert module(pextra_vm.main, name="other", power="stopped", force_stop=True)["changed"]
    assert powers(module(name="web-1", action="resume")) == {"web-1": "running"}


def test_reset_and_nmi(module: Module, small_cloud: Cloud, calls: Any) -> None:
    for action, call in (("reset", "virDomainReset"), ("nmi", "virDomainInjectNMI")):
        calls.clear()
        assert module(name="web-1", action=action)["changed"]
        assert calls[call] == 1
    module(name="web-1", action="pause")
    assert powers(module(name="web-1", action="reset")) == {"web-1": "running"}


def test_save_and_go_on(module: Module, small_cloud: Cloud) -> None:
    module(name="web-1", action="pause")
    assert powers(module(name="web-1", action="save")) == {"web-1": "saved"}
    assert (raw(small_cloud).isActive(), raw(small_cloud).hasManagedSaveImage()) == (0, 1)
    assert module(name="web-1", action="save")["changed"] is False
    (vm,) = module(pextra_vm_info.main, names=["web-1"])["vms"]
    assert (vm["power"], vm["saved"]) == ("stopped", True)
    refused = module(pextra_vm.main, name="web-1", memory="512 MiB", power="running")
    assert "it is saved, and would go on as it was saved, without the change of memory" in refused["msg"]
    assert raw(small_cloud).hasManagedSaveImage() == 1
    assert powers(module(name="web-1", action="resume")) == {"web-1": "running"}
    assert (raw(small_cloud).isActive(), raw(small_cloud).hasManagedSaveImage()) == (1, 0)


def test_pextra_vm_lets_a_saved_one_go_on(module: Module, small_cloud: Cloud) -> None:
    module(name="web-1", action="save")
    assert module(pextra_vm.main, **VMS[0])["actions"] == ["instance web-1 on node1: start from what was saved"]
    assert (raw(small_cloud).isActive(), raw(small_cloud).hasManagedSaveImage()) == (1, 0)
    assert module(pextra_vm.main, **VMS[0])["changed"] is False


def test_what_was_saved_is_discarded_with_consent(module: Module, small_cloud: Cloud) -> None:
    module(name="web-1", action="save")
    assert "what was saved of the memory of instance web-1" in module(name="web-1", action="discard_saved")["msg"]
    assert raw(small_cloud).hasManagedSaveImage() == 1
    result = module(name="web-1", action="discard_saved", confirm="DESTROY")
    assert powers(result) == {"web-1": "stopped"}
    assert raw(small_cloud).hasManagedSaveImage() == 0
    assert module(name="web-1", action="discard_saved")["changed"] is False


def test_what_is_refused_stops_all_of_it(module: Module, small_cloud: Cloud) -> None:
    raw(small_cloud, 2).destroy()
    result = module(name=["web-1", "web-2"], action="pause")
    assert result["msg"] == "instance web-2: it is stopped. Start it first (pextra_vm with power: running)."
    assert raw(small_cloud).state()[0] == libvirt.VIR_DOMAIN_RUNNING


def test_a_node_that_does_not_answer_stops_only_its_own(module: Module, small_cloud: Cloud) -> None:
    small_cloud.unreachable["node2"] = Problem("it does not answer", "Check it.", "node2")
    result = module(name=["web-1", "web-2"], action="pause")
    assert result["msg"] == "node2: instance web-2: it does not answer. Check it."
    assert powers(result) == {"web-1": "paused", "web-2": "unknown"}


def test_what_the_hypervisor_cannot_do_is_said(module: Module) -> None:
    """The test driver suspends nothing to memory, as a guest without an agent."""
    result = module(name="web-1", action="suspend_to_memory")
    assert "suspend the instance to memory: this function is not supported" in result["msg"]
    assert powers(result) == {"web-1": "running"}


def test_a_killed_restart_is_finished(module: Module, small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before each of its steps in turn, it ends with an instance that runs."""
    killed: list[str] = []
    real = PowerResource.apply

    def apply_or_die(self: PowerResource, cloud: Cloud, work: Any, step: Any) -> Any:
        if step.act not in killed:
            killed.append(step.act)
            raise KeyboardInterrupt
        return real(self, cloud, work, step)

    monkeypatch.setattr(PowerResource, "apply", apply_or_die)
    for _ in range(10):
        try:
            result = module(name="web-1", action="restart")
        except KeyboardInterrupt:
            continue
        break
    assert killed == ["register", "stop", "start", "settle"]
    assert powers(result) == {"web-1": "running"}
    assert all("power" not in row.attributes for row in small_cloud.registry.rows("instance"))


def test_a_guest_that_does_not_stop_goes_on(
    module: Module, small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that ignores its power button: nothing of the restart is left, and by force it is restarted."""
    monkeypatch.setattr(Hypervisor, "request_shutdown", lambda *_: ())
    before = raw(small_cloud).ID()
    result = module(name=["web-1", "web-2"], action="restart", stop_timeout_s=1)
    assert "web-1: the guest did not stop within 1 s" in result["msg"]
    assert (raw(small_cloud).ID(), powers(result)) == (before, {"web-1": "running", "web-2": "running"})
    assert all("power" not in row.attributes for row in small_cloud.registry.rows("instance"))
    result = module(name="web-1", action="restart", stop_timeout_s=1, force_stop=True)
    assert not result.get("failed"), result["msg"]
    assert raw(small_cloud).ID() > before


@pytest.mark.parametrize("state", ["running", "paused", "asleep"])
def test_a_guest_whose_qemu_is_frozen_is_restarted_by_force(
    module: Module, small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """Whatever QEMU is to do waits for it, but for its end. What fails leaves nothing to be finished."""
    thaw = threading.Event()
    monkeypatch.setattr(guests, "_GUEST_LIMIT_S", 0.5)
    # Another connection of the test driver is another host.
    monkeypatch.setattr(connection, "_MOST_LEFT_ALONE", 100)
    monkeypatch.setitem(power._STATES, libvirt.VIR_DOMAIN_PAUSED, "asleep" if state == "asleep" else "paused")
    if state != "running":
        raw(small_cloud).suspend()
    for name in ("shutdown", "resume", "pMWakeup"):
        monkeypatch.setattr(libvirt.virDomain, name, lambda *_: thaw.wait(20))
    before = raw(small_cloud).ID()
    result = module(name=["web-1", "web-2"], action="restart", stop_timeout_s=1)
    assert result["msg"].count("instance web-1 on node1: ") == 1, result["msg"]
    assert "its QEMU may be frozen" in result["msg"]
    assert (raw(small_cloud).ID(), powers(result)["web-1"]) == (before, state)
    assert all("power" not in row.attributes for row in small_cloud.registry.rows("instance"))
    result = module(name="web-1", action="restart", stop_timeout_s=1, force_stop=True)
    thaw.set()
    assert not result.get("failed"), result["msg"]
    assert (raw(small_cloud).ID() > before, powers(result)) == (True, {"web-1": "running"})


def test_a_qemu_that_owes_an_answer_is_not_asked_again(
    module: Module, small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier run has asked would be done when it goes on, and this after it."""
    silent = {"web-1": 75_000, "web-2": 75}
    monkeypatch.setattr(
        libvirt.virDomain,
        "controlInfo",
        lambda domain: [libvirt.VIR_DOMAIN_CONTROL_OCCUPIED, 0, silent[domain.name()]],
    )
    result = module(name=["web-1", "web-2"], action="pause")
    assert result["msg"].startswith(
        "node1: instance web-1 on node1: pause the instance: its QEMU has not answered what it was asked 75 s ago"
    )
    assert result["msg"].count("\n") == 0, result["msg"]
    assert powers(result) == {"web-1": "running", "web-2": "paused"}
    assert raw(small_cloud).state()[0] == libvirt.VIR_DOMAIN_RUNNING


def test_sleep_and_wake(module: Module, small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test driver sleeps by pausing, and only a moment after it was told to, as guests do."""
    monkeypatch.setitem(power._STATES, libvirt.VIR_DOMAIN_PAUSED, "asleep")
    timers: list[threading.Timer] = []

    def soon(call: Callable[[], object]) -> None:
        timers.append(threading.Timer(0.4, call))
        timers[-1].start()

    monkeypatch.setattr(Hypervisor, "put_to_sleep", lambda self, uuid, _: soon(self._domain(uuid).suspend))
    monkeypatch.setattr(Hypervisor, "wake_up", lambda self, uuid, _: soon(self._domain(uuid).resume))
    result = module(name="web-1", action="suspend_to_memory")
    assert not result.get("failed"), result["msg"]
    assert powers(result) == {"web-1": "asleep"}
    assert raw(small_cloud).state()[0] == libvirt.VIR_DOMAIN_PAUSED
    assert module(name="web-1", action="suspend_to_memory")["changed"] is False
    assert "suspended to memory" in module(name="web-1", action="save")["msg"]
    assert powers(module(name="web-1", action="resume")) == {"web-1": "running"}
    monkeypatch.setattr(apply_power, "_SLEEP_TIMEOUT_S", 0.3)
    monkeypatch.setattr(Hypervisor, "put_to_sleep", lambda *_: None)
    assert "the guest did not fall asleep within 0.3 s" in module(name="web-1", action="suspend_to_memory")["msg"]
    for timer in timers:
        timer.join()
