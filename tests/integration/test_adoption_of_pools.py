# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A storage pool, a bridge and its network that were there before become the cloud's as they are, while a guest runs on
them; then the guest does, with its volume and its NIC; and all are given back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .lab import Lab, Site, group_vars

POOL, SWITCH, GROUP, GUEST = "it-old-pool", "it-ovsbr0", "it-Old", "it-old-guest"
DIRECTORY = f"/srv/{POOL}"
DISK = f"{DIRECTORY}/{GUEST}.qcow2"
# Each node has its own for the pool; node2 has no bridge.
UUIDS = {"node1": "0c1b0c35-35a5-4b09-8a0f-8f1d9f3c1b01", "node2": "0c1b0c35-35a5-4b09-8a0f-8f1d9f3c1b02"}
NETWORK_UUID = "0c1b0c35-35a5-4b09-8a0f-8f1d9f3c1b0f"
_OURS = re.compile(r"\s*<(pextra:)?instance [^>]*urn:pextra:instance:1.*?</(pextra:)?instance>", re.DOTALL)

POOL_XML = "<pool type='dir'><name>{}</name><uuid>{}</uuid><target><path>{}</path></target></pool>"
NETWORK_XML = (
    f"<network><name>{SWITCH}</name><uuid>{NETWORK_UUID}</uuid><forward mode='bridge'/><bridge name='{SWITCH}'/>"
    f"<virtualport type='openvswitch'/><portgroup name='{GROUP}'><vlan><tag id='77'/></vlan></portgroup></network>"
)
GUEST_XML = (
    f"<domain type='qemu'><name>{GUEST}</name><memory>98304</memory><vcpu>1</vcpu>"
    "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
    f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{DISK}'/>"
    "<target dev='vda' bus='virtio'/></disk>"
    f"<interface type='network'><mac address='52:54:00:0c:0b:01'/><source network='{SWITCH}' portgroup='{GROUP}'/>"
    "<model type='virtio'/></interface></devices></domain>"
)


@pytest.fixture
def old(lab: Lab, cloud: Site) -> Iterator[None]:
    """A pool with files on two nodes, and on one of them a bridge with a network, and a guest that runs on both."""
    clean(lab)
    for node, uuid in UUIDS.items():
        lab.sh(node, f"mkdir -p {DIRECTORY}/notes && echo {node} > {DIRECTORY}/notes/kept && chmod 0711 {DIRECTORY}")
        lab.exec(node, "virsh", "pool-define", "/dev/stdin", stdin=POOL_XML.format(POOL, uuid, DIRECTORY))
        lab.exec(node, "virsh", "pool-start", POOL)
    lab.sh("node1", f"qemu-img create -q -f qcow2 {DISK} 64M && chmod 0666 {DISK} && virsh pool-refresh {POOL}")
    lab.sh(
        "node1",
        f"ovs-vsctl add-br {SWITCH} -- set bridge {SWITCH} datapath_type=netdev external_ids:owner=me "
        f"-- add-port {SWITCH} it-patch -- set interface it-patch type=internal -- set port it-patch tag=5",
    )
    lab.exec("node1", "virsh", "net-define", "/dev/stdin", stdin=NETWORK_XML)
    lab.exec("node1", "virsh", "net-start", SWITCH)
    lab.exec("node1", "virsh", "define", "/dev/stdin", stdin=GUEST_XML)
    lab.exec("node1", "virsh", "start", GUEST)
    yield
    # As the way back, whatever has happened; what it fails at is nothing to the next test.
    forget(lab, cloud)
    clean(lab)


def clean(lab: Lab) -> None:
    lab.sh("node1", f"virsh destroy {GUEST}; virsh undefine {GUEST}", check=False)
    lab.sh("node1", f"virsh net-destroy {SWITCH}; virsh net-undefine {SWITCH}", check=False)
    lab.sh("node1", f"ovs-vsctl --if-exists del-br {SWITCH}", check=False)
    for node in UUIDS:
        lab.sh(node, f"virsh pool-destroy {POOL}; virsh pool-undefine {POOL}; rm -rf {DIRECTORY}", check=False)


def take_labels_away(lab: Lab) -> None:
    """Give back, as docs/adoption.md says."""
    for more in ("--config", "--live"):
        lab.sh("node1", f"virsh metadata {GUEST} urn:pextra:instance:1 --remove {more}", check=False)
    lab.sh("node1", f"ovs-vsctl remove bridge {SWITCH} external_ids pextra-vswitch", check=False)
    for node in UUIDS:
        lab.exec(node, "ovs-vsctl", "remove", "Open_vSwitch", ".", "external_ids", f"pextra-pool/{POOL}")


def forget(lab: Lab, cloud: Site) -> list[dict[str, Any]]:
    take_labels_away(lab)
    return cloud.play(
        [
            {"pextra.cloud.pextra_vm": {"name": GUEST, "state": "absent"}, "ignore_errors": True},
            {"pextra.cloud.pextra_vswitch": {"name": SWITCH, "state": "absent"}, "ignore_errors": True},
            {"pextra.cloud.pextra_pool": {"name": POOL, "state": "absent"}, "ignore_errors": True},
        ]
    )


def without_ours(xml: str) -> str:
    return re.sub(r"\s*<metadata(/>|>\s*</metadata>)", "", _OURS.sub("", xml))


def state(lab: Lab) -> dict[str, Any]:
    """Return what must stay: files, definitions, the bridge, and what runs; without our labels and metadata."""
    found: dict[str, Any] = {}
    for node in UUIDS:
        # libvirt tells how full it is; the rest of the lab writes there too.
        pool = lab.exec(node, "virsh", "pool-dumpxml", POOL)
        found[f"{node} pool"] = re.sub(r"<(capacity|allocation|available) .*?</\1>", "", pool)
        found[f"{node} files"] = lab.sh(node, f"cd {DIRECTORY} && find . -printf '%p %i %m %U\\n' | sort")
        found[f"{node} content"] = lab.sh(node, f"cd {DIRECTORY} && sha256sum notes/kept")
    found["disk"] = lab.sh("node1", f"qemu-img info -U {DISK} | grep 'virtual size'; stat -c %i {DISK}")
    found["network"] = lab.exec("node1", "virsh", "net-dumpxml", "--inactive", SWITCH)
    columns = "--columns=ports,datapath_type,other_config"
    found["bridge"] = lab.exec("node1", "ovs-vsctl", columns, "list", "bridge", SWITCH)
    each = "ovs-vsctl --columns=_uuid,name,tag,trunks list port $port"
    found["ports"] = lab.sh("node1", f"for port in $(ovs-vsctl list-ports {SWITCH}); do {each}; done")
    found["owner"] = lab.exec("node1", "ovs-vsctl", "get", "bridge", SWITCH, "external_ids:owner")
    found["guest"] = [
        lab.domains("node1")[GUEST],
        lab.sh("node1", f"cat /run/libvirt/qemu/{GUEST}.pid"),
        *(without_ours(lab.exec("node1", "virsh", "dumpxml", *more, GUEST)) for more in ((), ("--inactive",))),
    ]
    return found


@pytest.mark.long
def test_a_pool_a_bridge_and_a_network_become_the_clouds_as_they_are(
    lab: Lab, cloud: Site, old: None, tmp_path: Path
) -> None:
    before = state(lab)
    assert before["guest"][0] == "running"
    assert re.search(r"^tag +: 77$", before["ports"], re.MULTILINE)
    told, switches = (
        {one["name"]: one for one in cloud.module(module, foreign=True)["foreign"]}
        for module in ("pextra_pool_info", "pextra_vswitch_info")
    )
    pool, switch, groups = told[POOL]["element"], switches[SWITCH]["element"], switches[SWITCH]["port_groups"]
    assert {one["name"]: one["uuid"] for one in told[POOL]["nodes"]} == UUIDS
    assert pool == {
        "name": POOL,
        "cluster": "mtl-1",
        "adopt": True,
        "nodes": ["node1", "node2"],
        "type": "directory",
        "path": DIRECTORY,
    }
    assert switch == {"name": SWITCH, "cluster": "mtl-1", "adopt": True, "nodes": ["node1"]}
    assert groups == [{"name": GROUP, "vswitch": SWITCH, "cluster": "mtl-1", "adopt": True, "vlan": 77}]

    calls = [("pextra_pool", pool), ("pextra_vswitch", switch), ("pextra_port_group", groups[0])]
    refused = [
        ("pextra_pool", {"name": POOL, "path": DIRECTORY}, "which is not ours"),
        ("pextra_pool", {**pool, "path": "/srv/elsewhere"}, f"path is {DIRECTORY}, declared /srv/elsewhere"),
        ("pextra_vswitch", {**switch, "uplinks": ["eth1"]}, "uplinks"),
    ]
    for module, options, said in refused:
        assert said in cloud.refused_module(module, **options)["msg"]
    for module, options in calls[:2]:
        (check,) = cloud.calls(module, {**options, "check": True})
        assert (check["changed"], any("adopt" in one for one in check["actions"])) == (True, True), check
    assert state(lab) == before
    assert lab.sh("node1", f"ovs-vsctl get bridge {SWITCH} external_ids").strip() == "{owner=me}"

    # Two at once: one takes it, and the other finds it taken.
    for module, options in calls:
        with ThreadPoolExecutor(2) as both:
            results = [one.result() for one in [both.submit(cloud.module, module, **options) for _ in range(2)]]
        assert sorted(one["changed"] for one in results) == [False, True], results
        (again,) = cloud.calls(module, options)
        assert (again["changed"], again["actions"]) == (False, [])
    assert state(lab) == before
    for node, uuid in UUIDS.items():
        label = lab.exec(node, "ovs-vsctl", "get", "Open_vSwitch", ".", f'external_ids:"pextra-pool/{POOL}"')
        assert uuid in label
        assert "Autostart:      yes" in lab.exec(node, "virsh", "pool-info", POOL)
    assert lab.sh("node1", f"virsh net-info {SWITCH} | grep Autostart").split()[-1] == "yes"

    # As elements of the document, with which nothing differs.
    declared = {
        "pextra_pools": [*group_vars("storage")["pextra_pools"], pool],
        "pextra_vswitches": [*group_vars("network")["pextra_vswitches"], switch],
        "pextra_port_groups": [*group_vars("network")["pextra_port_groups"], *groups],
    }
    report = tmp_path / "drift.json"
    with cloud.overlay(declared) as extra:
        cloud.run("--tags", "network,storage", *extra).must_change_nothing()
        drift = cloud.run(*extra, "-e", f"report={report}", playbook="pextra.cloud.drift")
        assert drift.code == 0, drift.output[-3000:]
        assert json.loads(report.read_text())["differs"] is False
    assert state(lab) == before

    # They change as any other.
    for module, name in (("pextra_pool", POOL), ("pextra_port_group", GROUP)):
        changed, same = cloud.calls(module, *[{"name": name, "description": "An old one"}] * 2)
        assert (changed["changed"], same["changed"]) == (True, False)
    changed, same = cloud.calls("pextra_vswitch", *[{**switch, "description": "An old one"}] * 2)
    assert (changed["changed"], same["changed"]) == (True, False)
    assert state(lab) == before

    # And so the guest is adopted with a volume and a NIC that are the cloud's.
    (guest,) = [one for one in cloud.module("pextra_vm_info", foreign=True)["foreign"] if one["name"] == GUEST]
    assert guest["remarks"] == []
    adopted, again = cloud.calls("pextra_vm", guest["element"], guest["element"])
    assert adopted["actions"] == [f"instance {GUEST} on node1: register, adopt"]
    assert again["changed"] is False
    assert [(one["name"], one["pool"]) for one in adopted["vm"]["volumes"]] == [("root", POOL)]
    assert [(one["name"], one["port_group"]) for one in adopted["vm"]["nics"]] == [("nic0", GROUP)]
    assert state(lab) == before
    # A port group's VLAN reaches the guest's port while it runs.
    moved, back = cloud.calls("pextra_port_group", {"name": GROUP, "vlan": 78}, {"name": GROUP, "vlan": 77})
    assert moved["changed"]
    assert back["changed"]
    assert any("running NIC" in one for one in moved["actions"])
    after = state(lab)
    assert {key: one for key, one in after.items() if key != "network"} == {
        key: one for key, one in before.items() if key != "network"
    }

    # While the guest is the cloud's, nothing of it goes.
    for module, name in (("pextra_pool", POOL), ("pextra_vswitch", SWITCH)):
        assert GUEST in cloud.refused_module(module, name=name, state="absent")["msg"]
    outcomes = forget(lab, cloud)
    assert [(bool(one.get("failed")), one["changed"]) for one in outcomes] == [(False, True)] * 3, outcomes
    assert state(lab) == after
    assert [one["name"] for one in cloud.module("pextra_pool_info")["pools"] if one["name"] == POOL] == []
    assert POOL in {one["name"] for one in cloud.module("pextra_pool_info", foreign=True)["foreign"]}
    cloud.run("--tags", "network,storage,instances").must_change_nothing()
