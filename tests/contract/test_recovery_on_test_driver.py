# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The coordinators' job starts what has crashed: on the test driver, whose guests crash when they are dumped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libvirt
import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pextra.cloud.plugins.module_utils import _recovery, _runner
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.hypervisor import Hypervisor
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.power import CrashedDomain, Powers
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import audit
from ansible_collections.pextra.cloud.plugins.module_utils._engine.converge import Terms
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import HypervisorError, Problem
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.recovery.plan import (
    GIVEN_UP,
    LEFT_PAUSED,
    RESET,
    START_LIMIT_S,
    STARTED,
    STARTS,
)
from ansible_collections.pextra.cloud.plugins.module_utils._recovery import recover
from ansible_collections.pextra.cloud.plugins.modules import pextra_vm

TERMS = Terms("test", 1.0)
Make = Callable[..., None]


@pytest.fixture
def make(small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Make:
    def open_cloud(_: Any, __: Any) -> Cloud:
        small_cloud.refresh_nodes()
        return small_cloud

    monkeypatch.setattr(_runner, "_open", open_cloud)

    def run(**options: Any) -> None:
        call = {"registry": small_cloud.registry.url, "name": "web", "node": "node1", **options}
        with patch_module_args(call), pytest.raises(SystemExit):
            pextra_vm.main()
        assert not json.loads(capsys.readouterr().out).get("failed")

    return run


def domain(cloud: Cloud) -> libvirt.virDomain:
    return cloud.hypervisor("node1")._connection.lookupByName("web")


def crash(cloud: Cloud, tmp_path: Path) -> None:
    domain(cloud).coreDump(str(tmp_path / "core"), libvirt.VIR_DUMP_CRASH)
    assert domain(cloud).state() == [libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED]


def round_of(cloud: Cloud) -> list[str]:
    cloud.refresh_nodes()
    return recover(cloud, TERMS)


def test_it_is_started_again_and_given_up_in_the_end(make: Make, small_cloud: Cloud, tmp_path: Path) -> None:
    make(memory="256 MiB", power="running")
    assert round_of(small_cloud) == []
    for _ in range(STARTS):
        crash(small_cloud, tmp_path)
        assert round_of(small_cloud) == [f"instance web on node1: {STARTED}"]
        assert domain(small_cloud).isActive()
        assert round_of(small_cloud) == []
    crash(small_cloud, tmp_path)
    for _ in range(2):
        (line,) = round_of(small_cloud)
        assert GIVEN_UP in line
        assert "/var/log/libvirt/qemu/web.log on node1" in line
    assert not domain(small_cloud).isActive()
    told = [(event["what"], event["outcome"]) for event in audit.read(small_cloud.registry, names=["web"])]
    assert told.count((STARTED, "done")) == STARTS
    assert told.count((GIVEN_UP, "done")) == 1, "once, however many rounds there are"
    # Whoever has looked starts it.
    make(power="running")
    assert domain(small_cloud).isActive()


def test_one_that_hangs_is_reset_and_left_paused_in_the_end(
    make: Make, small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test driver has no watchdog that could pause it: only that it has is told here."""
    make(memory="256 MiB", power="running", watchdog={})

    def find_hung(_: Powers) -> list[CrashedDomain]:
        guest = domain(small_cloud)
        is_paused = guest.state()[0] == libvirt.VIR_DOMAIN_PAUSED
        return [CrashedDomain(guest.UUIDString(), hangs=True)] if is_paused else []

    monkeypatch.setattr(Powers, "crashed_domains", find_hung)
    for _ in range(STARTS):
        domain(small_cloud).suspend()
        assert round_of(small_cloud) == [f"instance web on node1: {RESET}, resume"]
        assert domain(small_cloud).state()[0] == libvirt.VIR_DOMAIN_RUNNING
    domain(small_cloud).suspend()
    for _ in range(2):
        (line,) = round_of(small_cloud)
        assert LEFT_PAUSED in line
        assert "/var/log/pextra/console/web.log on node1" in line
    assert domain(small_cloud).state()[0] == libvirt.VIR_DOMAIN_PAUSED
    told = [(event["what"], event["outcome"]) for event in audit.read(small_cloud.registry, names=["web"])]
    assert told.count((LEFT_PAUSED, "done")) == 1


def test_what_was_stopped_or_is_to_stay_off_is_left(make: Make, small_cloud: Cloud, tmp_path: Path) -> None:
    make(memory="256 MiB", power="running")
    make(power="stopped", force_stop=True)
    assert round_of(small_cloud) == []
    make(power="running", on_crash="stop")
    crash(small_cloud, tmp_path)
    assert round_of(small_cloud) == []
    assert not domain(small_cloud).isActive()


def test_what_is_declared_stopped_since_then_is_left(make: Make, small_cloud: Cloud, tmp_path: Path) -> None:
    make(memory="256 MiB", power="running")
    crash(small_cloud, tmp_path)
    make(power="stopped")
    assert round_of(small_cloud) == []
    assert not domain(small_cloud).isActive()
    make(power="running")
    crash(small_cloud, tmp_path)
    assert round_of(small_cloud) == [f"instance web on node1: {STARTED}"]


def test_one_that_is_slow_to_start_holds_up_no_other(
    make: Make, small_cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the first by its name, and not in the next round; nor is anything on another node kept waiting."""
    for name, node in (("a", "node1"), ("b", "node1"), ("c", "node2")):
        make(name=name, node=node, memory="256 MiB", power="running")
        guest = small_cloud.hypervisor(node)._connection.lookupByName(name)
        guest.coreDump(str(tmp_path / "core"), libvirt.VIR_DUMP_CRASH)
    slow = {small_cloud.hypervisor("node1")._connection.lookupByName("a").UUIDString()}
    waited = []
    start = Hypervisor.start_domain

    def hang(self: Hypervisor, uuid: str, resource: str, *, paused: bool = False, limit_s: float | None = None) -> None:
        if uuid not in slow:
            return start(self, uuid, resource, paused=paused, limit_s=limit_s)
        waited.append(limit_s)
        time.sleep(0.3)  # what it takes is what the round goes by
        raise HypervisorError([Problem("it takes long", "", "node1", resource)])

    monkeypatch.setattr(Hypervisor, "start_domain", hang)
    monkeypatch.setattr(_recovery, "_SLOW_S", 0.25)
    begun = {
        name: f"instance {name} on {node}: {STARTED}" for name, node in (("a", "node1"), ("b", "node1"), ("c", "node2"))
    }
    first, hung, left, other = round_of(small_cloud)
    assert (first, other) == (begun["a"], begun["c"])
    assert "it takes long" in hung
    assert "instance b: it is left to the next round" in left
    second, third, hung = round_of(small_cloud)
    assert (second, third) == (begun["b"], begun["a"])
    assert "it takes long" in hung
    assert waited == [START_LIMIT_S] * 2
    slow.clear()
    assert round_of(small_cloud) == [begun["a"]]
