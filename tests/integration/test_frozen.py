# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One frozen daemon, or a frozen node, costs its own bound once, is named, and holds up nothing else: modules and the
coordinators' job.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from .lab import Lab, Site, wait_until

# What a frozen daemon may add to everything that is run one after the other.
BOUND_S = 30.0
PROGRAM = "/usr/local/lib/pextra/pextra-coordinator propagate"
VMS = {"image": "tiny", "memory": "128 MiB", "root": {"pool": "local"}, "nics": [], "power": "stopped"}


@dataclass(frozen=True)
class Frozen:
    """What is stopped, and what must be said of it."""

    name: str
    node: str
    unit: str | None
    says: str
    remedy: str

    def freeze(self, lab: Lab) -> None:
        if self.unit is None:
            subprocess.run(["podman", "pause", f"pextra-{self.node}"], check=True, capture_output=True, timeout=60)
            return
        lab.sh(self.node, "virsh list >/dev/null")  # libvirtd ends by itself when nobody has asked it for long
        lab.exec(self.node, "systemctl", "kill", "--kill-who=main", "--signal=STOP", self.unit)

    def thaw(self, lab: Lab) -> None:
        if self.unit is None:
            subprocess.run(["podman", "unpause", f"pextra-{self.node}"], check=False, capture_output=True, timeout=60)
        else:
            lab.exec(self.node, "systemctl", "kill", "--kill-who=main", "--signal=CONT", self.unit)


LIBVIRTD = Frozen("libvirtd", "node3", "libvirtd", "libvirtd is frozen or overloaded", "systemctl status libvirtd")
LOCAL = Frozen("local", "node1", "libvirtd", "libvirtd is frozen or overloaded", "systemctl status libvirtd")
STUNNEL = Frozen(
    "stunnel",
    "node3",
    "pextra-ovsdb-tls",
    "stunnel before Open vSwitch's database is frozen",
    "systemctl status pextra-ovsdb-tls",
)
OVSDB = Frozen(
    "ovsdb",
    "node3",
    "ovsdb-server",
    "Open vSwitch's database (ovsdb-server) is frozen",
    "systemctl status ovsdb-server",
)
NODE = Frozen("node", "node3", None, "is frozen or overloaded", "On node3: systemctl status")
ALL = (LIBVIRTD, LOCAL, STUNNEL, OVSDB, NODE)


@contextmanager
def frozen(lab: Lab, what: Frozen) -> Iterator[None]:
    what.freeze(lab)
    try:
        yield
    finally:
        what.thaw(lab)


def forget(lab: Lab) -> None:
    """What was frozen for an earlier test is nothing to this one."""
    lab.sh("node1", "rm -rf /run/pextra/hung")


def tasks(*, state: str = "present") -> list[dict[str, Any]]:
    """Read everything, and change something on each node."""
    if state == "absent":
        names = [f"froz-{number}" for number in range(6)]
        absent = [{"name": name, "state": "absent"} for name in names]
        return [
            {"pextra.cloud.pextra_vm": {"vms": absent, "remove_volumes": True, "confirm": "DESTROY"}},
            {"pextra.cloud.pextra_pool": {"name": "froz", "state": "absent"}},
        ]
    vms = [{"name": f"froz-{number}", "node": f"node{1 + number % 3}", **VMS} for number in range(6)]
    wanted: list[dict[str, Any]] = [
        {"pextra.cloud.pextra_vm_info": {}},
        {"pextra.cloud.pextra_pool_info": {}},
        {"pextra.cloud.pextra_vswitch_info": {}},
        {"pextra.cloud.pextra_pool": {"name": "froz", "path": "/srv/froz"}},
        {"pextra.cloud.pextra_vm": {"vms": vms}},
    ]
    return [{**task, "ignore_errors": True} for task in wanted]


@pytest.fixture
def clean(cloud: Site, lab: Lab) -> Iterator[Site]:
    forget(lab)
    yield cloud
    cloud.play(tasks(state="absent"))
    lab.on_all("rm", "-rf", "/srv/froz")


@pytest.fixture(scope="module")
def usual_s(cloud: Site, lab: Lab) -> float:
    """How long it takes when nothing is frozen."""
    forget(lab)
    began = time.monotonic()
    assert not any(result.get("failed") for result in cloud.play(tasks()))
    taken_s = time.monotonic() - began
    cloud.play(tasks(state="absent"))
    return taken_s


def pools(lab: Lab, node: str) -> list[str]:
    return lab.exec(node, "virsh", "pool-list", "--name").split()


# One of them is in `make test`, the others in `make integration-long`: each costs a minute and a half.
@pytest.mark.parametrize(
    "what",
    [LIBVIRTD, *(pytest.param(what, marks=pytest.mark.long) for what in ALL if what is not LIBVIRTD)],
    ids=lambda what: what.name,
)
def test_frozen_before(clean: Site, lab: Lab, usual_s: float, what: Frozen) -> None:
    others = [node for node in lab.nodes if node != what.node]
    with frozen(lab, what):
        began = time.monotonic()
        results = clean.play(tasks())
        taken_s = time.monotonic() - began
        text = json.dumps(results)
        assert what.says in text.replace("\\u0027", "'")
        assert what.remedy in text
        assert taken_s < usual_s + BOUND_S, f"{taken_s:.0f} s, usually {usual_s:.0f} s"
        for node in others:
            assert "froz" in pools(lab, node), results
            assert [name for name in lab.domains(node) if name.startswith("froz-")], results

        # The job mends the others in its next round.
        lab.sh(others[1], "virsh pool-destroy froz; virsh pool-undefine froz")
        began = time.monotonic()
        output = lab.sh("node1", PROGRAM)
        assert time.monotonic() - began < BOUND_S
        assert "froz" in pools(lab, others[1])
        assert what.node in output

    clean.play(tasks())
    again = clean.play(tasks())
    assert not any(result.get("failed") or result.get("changed") for result in again), again
    for number in range(6):
        assert lab.home(f"froz-{number}") == f"node{1 + number % 3}"


@pytest.mark.long
@pytest.mark.parametrize("what", [LIBVIRTD, LOCAL, NODE], ids=lambda what: what.name)
def test_frozen_meanwhile(clean: Site, lab: Lab, usual_s: float, what: Frozen) -> None:
    """It freezes as soon as the first instance is there."""
    others = [node for node in lab.nodes if node != what.node]
    results: list[dict[str, Any]] = []
    worker = threading.Thread(target=lambda: results.extend(clean.play(tasks())))
    began = time.monotonic()
    worker.start()
    seen = "ls /etc/libvirt/qemu/froz-*.xml 2>/dev/null || true"
    wait_until("the first is there", lambda: any(lab.sh(node, seen) for node in lab.nodes), 120)
    with frozen(lab, what):
        worker.join(300)
        taken_s = time.monotonic() - began
        assert results, "it does not end"
        assert taken_s < usual_s + BOUND_S, f"{taken_s:.0f} s, usually {usual_s:.0f} s"
        for node in others:
            count = sum(name.startswith("froz-") for name in lab.domains(node))
            assert count == 2, results
    clean.play(tasks())
    again = clean.play(tasks())
    assert not any(result.get("failed") or result.get("changed") for result in again), again
    for number in range(6):
        assert lab.home(f"froz-{number}") == f"node{1 + number % 3}"


@pytest.mark.long
def test_the_database_behind_stunnel_freezes_while_pools_are_labelled(clean: Site, lab: Lab, usual_s: float) -> None:
    """Stunnel lives, so that the connection stays."""
    results: list[dict[str, Any]] = []
    worker = threading.Thread(target=lambda: results.extend(clean.play(tasks()[3:4])))
    began = time.monotonic()
    worker.start()
    wait_until("the pool is there", lambda: any("froz" in pools(lab, node) for node in lab.nodes), 120)
    with frozen(lab, OVSDB):
        worker.join(300)
        assert results, "it does not end"
        assert time.monotonic() - began < usual_s + BOUND_S
    clean.play(tasks()[3:4])
    (again,) = clean.play(tasks()[3:4])
    assert not again.get("failed"), again
    assert not again["changed"], again


@pytest.mark.long
@pytest.mark.parametrize("what", ["libvirtd", "node"])
def test_the_target_freezes_while_an_instance_moves(clean: Site, lab: Lab, what: str) -> None:
    """It goes on where it was, and never runs twice. Sent slowly, so that it is on its way for long."""
    source = lab.home("mail")
    target = next(node for node in ("node3", "node2") if node != source)
    unit = Frozen(what, target, None if what == "node" else "libvirtd", "", "")
    boots = lab.console("mail").count("pextra-guest: ready")
    outcome: list[dict[str, Any]] = []
    move = [{"pextra.cloud.pextra_vm": {"name": "mail", "node": target}, "ignore_errors": True}]
    lab.exec(source, "virsh", "migrate-setspeed", "mail", "1")
    worker = threading.Thread(target=lambda: outcome.extend(clean.play(move)))
    worker.start()
    try:
        is_moving = "virsh domjobinfo mail | grep -q 'Data processed' && echo yes || true"
        wait_until("it is on its way", lambda: lab.sh(source, is_moving), 60)
        unit.freeze(lab)
        began = time.monotonic()
        worker.join(200)
        taken_s = time.monotonic() - began
    finally:
        unit.thaw(lab)
        worker.join(200)
        lab.sh(source, "virsh migrate-setspeed mail 10000 || true")
    (result,) = outcome
    assert result.get("failed"), result
    assert f"{target} froze meanwhile, and it goes on where it was" in result["msg"], result["msg"]
    assert taken_s < BOUND_S, f"{taken_s:.0f} s: {result['msg']}"
    wait_until("the target has let go of it", lambda: "mail" not in lab.domains(target), 60)
    assert lab.domains(source)["mail"] == "running"
    assert lab.console("mail").count("pextra-guest: ready") == boots, "it was restarted"

    forget(lab)
    (moved,) = clean.play(move)
    assert not moved.get("failed"), moved
    assert lab.home("mail") == target
    (again,) = clean.play(move)
    assert not again["changed"], again
