# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node of Debian 13 among those of Debian 12: the same roles prepare it, and instances run there, and move there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.compatibility.controllers import CONTROLLERS, Controller

from .lab import Lab, MixedLab, Site, wait_until
from .test_instance_rows import guest_on, require_every_row, require_every_row_of_a_disk, require_every_row_of_a_nic
from .test_node import NODE_STAGES, require_documented_listeners, require_hardened

pytestmark = pytest.mark.compatibility

NEWER, OLDER = MixedLab.newer, "node1"
NAME = "it-debian"
# One that answers pings, on another node than NEWER.
PEER = "172.20.0.11"
VOLUMES = {
    "root": {"pool": "shared", "size": "64 MiB"},
    "volumes": [{"name": "data", "pool": "shared", "size": "8 MiB"}],
}
GUEST = {
    "name": NAME,
    "image": "tiny",
    "memory": "96 MiB",
    "root": {"pool": "shared", "size": "64 MiB"},
    "volumes": [{"name": "data", "pool": "shared", "size": "8 MiB"}],
    "nics": [{"name": "nic0", "port_group": "Production", "addresses": ["172.20.0.90/24"]}],
    "cloud_init": {"user_data": f"## template: jinja\n#cloud-config\npextra_ping: [{PEER}]\n"},
}
STOPPED = {"name": NAME, "power": "stopped", "force_stop": True, "stop_timeout_s": 1}
ABSENT = {"name": NAME, "state": "absent", "force_stop": True, "remove_volumes": True, "confirm": "DESTROY"}


@pytest.fixture
def hosts(mixed: Site) -> MixedLab:
    assert isinstance(mixed.lab, MixedLab)
    return mixed.lab


@pytest.fixture
def removed(mixed: Site) -> Iterator[None]:
    """The instance is gone after the test, whatever came."""
    yield
    mixed.module("pextra_vm", **ABSENT)


def boots(hosts: MixedLab) -> int:
    return hosts.console(NAME).count("pextra-guest: ready")


def answered(hosts: MixedLab) -> int:
    return hosts.console(NAME).count(f"pextra-guest: ping {PEER} ok")


def wait_for_guest(hosts: MixedLab, booted: int) -> None:
    """Wait until it has booted so often, sees its address and its volume, and hears its peer on another node."""
    wait_until("it boots", lambda: boots(hosts) >= booted, timeout_s=90)
    before = answered(hosts)
    wait_until("its peer answers", lambda: answered(hosts) >= before + 3, timeout_s=90)
    text = hosts.console(NAME)
    assert re.search(r"pextra-guest: nic \S+ 172\.20\.0\.90/24", text), text[-2000:]
    assert "pextra-guest: disk vdb 8388608 bytes" in text


def machine(hosts: MixedLab, node: str) -> str:
    found = re.search(r"machine='([^']+)'", hosts.exec(node, "virsh", "dumpxml", NAME))
    assert found
    return found[1]


def require_port(hosts: MixedLab, node: str) -> None:
    """Its NIC is on the node's vSwitch, in the VLAN of its port group."""
    rows = hosts.exec(node, "virsh", "domiflist", NAME).splitlines()[2:]
    [port] = [line.split()[0] for line in rows if line.strip()]
    assert hosts.exec(node, "ovs-vsctl", "iface-to-br", port).strip() == "svswitch10"
    assert hosts.exec(node, "ovs-vsctl", "get", "Port", port, "tag").strip() == "42"


def test_it_is_prepared_as_the_others_are(mixed: Site, hosts: MixedLab) -> None:
    versions = {node: hosts.sh(node, ". /etc/os-release; echo $VERSION_ID").strip() for node in hosts.nodes}
    assert versions == {"node1": "12", "node2": "12", "node3": "12", NEWER: "13"}
    before = hosts.snapshot()
    run = mixed.run().must_change_nothing()
    assert "4 of 4 nodes healthy" in run.output
    mixed.run(*NODE_STAGES, "--check", "--diff").must_change_nothing()
    assert hosts.snapshot() == before
    require_documented_listeners(hosts, NEWER)
    require_hardened(hosts, NEWER)


def test_what_differs_on_it_is_put_right(mixed: Site, hosts: MixedLab) -> None:
    hosts.sh(NEWER, "echo 'vnc_listen = \"0.0.0.0\"' >>/etc/libvirt/qemu.conf; systemctl stop pextra-ovsdb-tls.service")
    run = mixed.run(*NODE_STAGES).must_succeed()
    assert [host for host, values in run.hosts.items() if values["changed"]] == [NEWER]
    require_hardened(hosts, NEWER)
    mixed.run().must_change_nothing()


@pytest.mark.parametrize("row", CONTROLLERS, ids=lambda row: row.name)
def test_every_core_sees_the_same_and_can_mend_it(mixed: Site, hosts: MixedLab, row: Controller) -> None:
    """From the same installed collection, by each version of ansible-core that there is an environment of."""
    program = row.program("ansible-playbook")
    if not program.exists():
        pytest.skip(f"there is no environment of {row.name}: make compatibility-cores makes it")
    site = Site(hosts, *mixed.inventories, program=program)
    site.run().must_change_nothing()
    hosts.sh(NEWER, "chmod 0644 /etc/pki/pextra/key.pem; virsh net-destroy svswitch10")
    run = site.run().must_succeed()
    assert [host for host, values in run.hosts.items() if values["changed"]] == [OLDER, NEWER]
    assert hosts.exec(NEWER, "stat", "-c", "%a", "/etc/pki/pextra/key.pem").strip() == "600"
    assert "svswitch10" in hosts.exec(NEWER, "virsh", "net-list", "--name").split()
    assert "DEPRECATION WARNING" not in run.output
    site.run().must_change_nothing()


def test_an_instance_runs_there(mixed: Site, hosts: MixedLab, removed: None) -> None:
    booted = boots(hosts)
    made, again = mixed.calls("pextra_vm", {**GUEST, "node": NEWER}, {**GUEST, "node": NEWER})
    assert (made["changed"], again["changed"], again["pending"]) == (True, False, [])
    assert (hosts.where(NAME), hosts.domains(NEWER)[NAME]) == ([NEWER], "running")
    wait_for_guest(hosts, booted + 1)
    require_port(hosts, NEWER)

    more = {"name": NAME, "volumes": [{"name": "data"}, {"name": "more", "pool": "local", "size": "8 MiB"}]}
    plugged, quiet = mixed.calls("pextra_vm", more, more)
    assert (plugged["changed"], quiet["changed"], quiet["pending"]) == (True, False, [])
    wait_until("it sees the volume", lambda: hosts.since_boot(NAME).count(" 8388608 bytes") == 2)

    stopped, quiet = mixed.calls("pextra_vm", STOPPED, STOPPED)
    assert (stopped["changed"], quiet["changed"], hosts.domains(NEWER)[NAME]) == (True, False, "shut off")
    gone, quiet = mixed.calls("pextra_vm", ABSENT, ABSENT)
    assert (gone["changed"], quiet["changed"], hosts.where(NAME)) == (True, False, [])
    assert hosts.sh(NEWER, f"ls /srv/shared /var/lib/pextra/pools/local | grep {NAME} || true") == ""
    assert NAME not in hosts.exec(NEWER, "ovs-vsctl", "--columns=name,external_ids", "list", "Interface")


def test_a_running_one_moves_there(mixed: Site, hosts: MixedLab, removed: None) -> None:
    booted = boots(hosts)
    mixed.module("pextra_vm", **GUEST, node=OLDER)
    wait_for_guest(hosts, booted + 1)
    kind = machine(hosts, OLDER)
    before = hosts.console(NAME)

    moved, again = mixed.calls("pextra_vm", *[{"name": NAME, "node": NEWER}] * 2)
    assert (moved["changed"], again["changed"]) == (True, False)
    assert (hosts.where(NAME), hosts.domains(NEWER)[NAME]) == ([NEWER], "running")
    require_port(hosts, NEWER)
    heard = answered(hosts)
    wait_until("its peer goes on to answer", lambda: answered(hosts) >= heard + 3)
    assert hosts.console(NAME).count(f"ping {PEER} lost") - before.count(f"ping {PEER} lost") <= 1
    assert boots(hosts) == booted + 1, "it was restarted"
    assert machine(hosts, NEWER) == kind, "what it is stays"

    # What it is it stays through a restart as well, so that it can go back when it is stopped.
    mixed.module("pextra_vm", **STOPPED)
    mixed.module("pextra_vm", name=NAME, node=OLDER)
    mixed.module("pextra_vm", name=NAME, power="running")
    assert hosts.where(NAME) == [OLDER]
    wait_for_guest(hosts, booted + 2)


def test_a_stopped_one_moves_there(mixed: Site, hosts: MixedLab, removed: None) -> None:
    booted = boots(hosts)
    mixed.module("pextra_vm", **GUEST, node=OLDER)
    wait_for_guest(hosts, booted + 1)
    mixed.module("pextra_vm", **STOPPED)
    moved, again = mixed.calls("pextra_vm", *[{"name": NAME, "node": NEWER}] * 2)
    assert (moved["changed"], again["changed"]) == (True, False)
    assert (hosts.where(NAME), hosts.domains(NEWER)[NAME]) == ([NEWER], "shut off")
    started, again = mixed.calls("pextra_vm", *[{"name": NAME, "power": "running"}] * 2)
    assert (started["changed"], again["changed"], again["pending"]) == (True, False, [])
    wait_for_guest(hosts, booted + 2)
    require_port(hosts, NEWER)


def test_what_is_newer_than_a_node_is_refused_there(mixed: Site, hosts: MixedLab, removed: None) -> None:
    """A machine that was made there is of a version that the QEMU of an older node does not know."""
    mixed.module("pextra_vm", **GUEST, node=NEWER)
    kind = machine(hosts, NEWER)
    known = hosts.exec(OLDER, "virsh", "capabilities")
    assert f">{kind}<" not in known
    for state in ("running", "shut off"):
        if state == "shut off":
            mixed.module("pextra_vm", **STOPPED)
        refused: dict[str, Any] = mixed.refused_module("pextra_vm", name=NAME, node=OLDER)
        assert kind in refused["msg"]
        assert (hosts.where(NAME), hosts.domains(NEWER)[NAME]) == ([NEWER], state)


@pytest.mark.parametrize("requirement", [require_every_row, require_every_row_of_a_nic, require_every_row_of_a_disk])
def test_every_option_there(mixed: Site, hosts: MixedLab, requirement: Callable[[Lab, Site], None]) -> None:
    with guest_on(hosts, mixed, NEWER) as guest:
        requirement(hosts, guest)


def test_the_watchdog_that_every_machine_has_there_is_none_of_ours(mixed: Site, hosts: MixedLab, removed: None) -> None:
    """The newer libvirt adds it; without it in what it is given, the older one takes the definition as well."""
    mixed.module("pextra_vm", **{**GUEST, "node": OLDER, "power": "stopped"})
    mixed.module("pextra_vm", name=NAME, node=NEWER)
    assert "<watchdog model='itco' action='reset'/>" in hosts.exec(NEWER, "virsh", "dumpxml", NAME)
    none = {"name": NAME, "watchdog": {"model": "none"}}
    ours = {"name": NAME, "watchdog": {"action": "shutdown"}}
    done = mixed.calls("pextra_vm", none, ours, ours, none, none)
    assert [one["changed"] for one in done] == [False, True, False, True, False]
    (told,) = mixed.module("pextra_vm_info", names=[NAME])["vms"]
    assert told.get("watchdog") is None
    mixed.module("pextra_vm", name=NAME, node=OLDER)
    assert "watchdog" not in hosts.exec(OLDER, "virsh", "dumpxml", NAME)
