# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines that were there before become instances as they are, while they run, and can be given back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .lab import Lab, Site, group_vars

VM, INFO = "pextra_vm", "pextra_vm_info"
WEB, OUT, TWO = "it-old-web", "it-old-out", "it-old-two"
HOMES = {WEB: "node1", OUT: "node2", TWO: "node3"}
LOCAL = "/var/lib/pextra/pools/local"
DISKS = {WEB: f"{LOCAL}/{WEB}.qcow2", OUT: f"/srv/{OUT}.qcow2", TWO: f"{LOCAL}/{TWO}.raw"}
# One fits into an identifier of 21 characters, the others do not.
UUIDS = {WEB: "0c1b0c35-35a5-4b09-8a0f-8f1d9f3c1a01", OUT: "0c1b0c35-35a5-4b09-8a0f-8f1d9f3c1a02"}
UUIDS[TWO] = "0c1b0c35-35a5-4b09-8a0f-8f1d9f3c1a03"
_OURS = re.compile(r"\s*<(pextra:)?instance [^>]*urn:pextra:instance:1.*?</(pextra:)?instance>", re.DOTALL)


def definition(name: str) -> str:
    """Return a definition as virt-install 4.1 writes it."""
    form = DISKS[name].rpartition(".")[2]
    groups = ("Production", "DMZ") if name == TWO else ("Production",)
    nics = "".join(
        f"<interface type='network'><mac address='52:54:00:0c:0{index}:{UUIDS[name][-2:]}'/>"
        f"<source network='svswitch10' portgroup='{group}'/><model type='virtio'/></interface>"
        for index, group in enumerate(groups)
    )
    return (
        f"<domain type='qemu'><name>{name}</name><uuid>{UUIDS[name]}</uuid>"
        "<metadata><libosinfo:libosinfo xmlns:libosinfo='http://libosinfo.org/xmlns/libvirt/domain/1.0'>"
        "<libosinfo:os id='http://debian.org/debian/12'/></libosinfo:libosinfo></metadata>"
        "<memory>98304</memory><currentMemory>98304</currentMemory><vcpu>1</vcpu>"
        "<os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os>"
        "<features><acpi/><apic/></features><cpu mode='custom' match='exact'><model>Nehalem</model></cpu>"
        "<clock offset='utc'><timer name='rtc' tickpolicy='catchup'/><timer name='pit' tickpolicy='delay'/>"
        "<timer name='hpet' present='no'/></clock>"
        "<pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>"
        "<devices>"
        f"<disk type='file' device='disk'><driver name='qemu' type='{form}' discard='unmap'/>"
        f"<source file='{DISKS[name]}'/><target dev='vda' bus='virtio'/></disk>"
        "<controller type='usb' model='qemu-xhci' ports='15'/><controller type='pci' model='pcie-root'/>"
        + "<controller type='pci' model='pcie-root-port'/>"
        * 14
        + f"{nics}<console type='pty'/><channel type='unix'><source mode='bind'/><target type='virtio' "
        "name='org.qemu.guest_agent.0'/></channel><input type='tablet' bus='usb'/><graphics type='vnc' port='-1'/>"
        "<video><model type='virtio'/></video><memballoon model='virtio'/>"
        "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng></devices></domain>"
    )


@pytest.fixture
def old(lab: Lab, cloud: Site) -> Iterator[None]:
    """Three virtual machines that are not the cloud's: two run, one of them on a disk in no storage pool."""
    for name, node in HOMES.items():
        path, form = DISKS[name], DISKS[name].rpartition(".")[2]
        lab.sh(node, f"qemu-img create -q -f {form} {path} 64M && chmod 0666 {path}")
        lab.exec(node, "virsh", "define", "/dev/stdin", stdin=definition(name))
    for name in (WEB, OUT):
        lab.exec(HOMES[name], "virsh", "start", name)
    yield
    for name, node in HOMES.items():
        if name in lab.domains(node):
            lab.sh(node, f"virsh destroy {name}; virsh undefine {name} --nvram", check=False)
    absent = [{"name": name, "state": "absent"} for name in HOMES]
    cloud.calls(VM, {"vms": absent, "remove_volumes": True, "confirm": "DESTROY"})
    for name, node in HOMES.items():
        lab.sh(node, f"rm -f {DISKS[name]}")


def state(lab: Lab) -> dict[str, Any]:
    """Return what must stay: definitions, what runs and what it is, but for our metadata."""
    found: dict[str, Any] = {}
    for name, node in HOMES.items():
        texts = [lab.exec(node, "virsh", "dumpxml", *more, name) for more in ((), ("--inactive",))]
        pid = lab.sh(node, f"cat /run/libvirt/qemu/{name}.pid 2>/dev/null || true").strip()
        found[name] = (lab.domains(node)[name], pid, [_OURS.sub("", text) for text in texts])
    return found


@pytest.mark.long
def test_they_become_instances_as_they_are(lab: Lab, cloud: Site, old: None, tmp_path: Path) -> None:
    before = state(lab)
    assert [one[0] for one in before.values()] == ["running", "running", "shut off"]
    assert before[WEB][1]
    told = {one["name"]: one for one in cloud.module(INFO, foreign=True)["foreign"]}
    assert {name: told[name]["node"] for name in HOMES} == HOMES
    assert told[WEB]["remarks"] == told[TWO]["remarks"] == []
    assert told[OUT]["remarks"] == [f"its disk vda ({DISKS[OUT]}) lies in no storage pool of the cluster"]
    elements = [told[name]["element"] for name in HOMES]
    bare = [{"name": name, "adopt": True} for name in HOMES]
    refused, other, check, adopted, again, described = cloud.calls(
        VM,
        {"name": WEB, "memory": "96 MiB", "vcpus": 1, "fails": True},
        {"name": WEB, "adopt": True, "memory": "128 MiB", "fails": True},
        {"vms": elements, "check": True},
        {"vms": elements},
        {"vms": elements},
        {"vms": bare},
    )
    assert "With adopt: true it becomes an instance as it is" in refused["msg"]
    assert "it is not as declared: memory is 96, declared 128" in other["msg"]
    assert [one.rpartition(": ")[2] for one in check["actions"]] == ["register, adopt"] * 3
    assert [one.rpartition(": ")[2] for one in adopted["actions"]] == ["register, adopt"] * 3
    assert DISKS[OUT] in str(adopted["warnings"])
    assert (again["changed"], again["pending"]) == (False, [])
    assert (described["changed"], described["pending"]) == (False, [])
    assert {one["name"]: one["uuid"] for one in described["vms"]} == UUIDS
    assert {one["name"]: one["node"] for one in described["vms"]} == HOMES
    assert [one["element"] for one in described["vms"]] == elements
    assert {one["name"]: [volume["name"] for volume in one["volumes"]] for one in described["vms"]} == {
        WEB: ["root"],
        OUT: [],
        TWO: ["root"],
    }
    assert state(lab) == before
    for name, node in HOMES.items():
        for more in ([], ["--config"]) if before[name][1] else (["--config"],):
            labels = lab.exec(node, "virsh", "metadata", name, "urn:pextra:instance:1", *more)
            assert re.search("adopted=.true", labels), labels

    # As elements of the document, with which nothing differs.
    declared = [*group_vars("instances")["pextra_instances"], *elements]
    report = tmp_path / "drift.json"
    with cloud.overlay({"pextra_instances": declared}) as extra:
        cloud.run("--tags", "instances", *extra).must_change_nothing()
        drift = cloud.run(*extra, "-e", f"report={report}", playbook="pextra.cloud.drift")
        assert drift.code == 0, drift.output[-3000:]
        assert json.loads(report.read_text()) == {
            "differs": False,
            "complete": True,
            **{key: [] for key in ("actions", "changes", "pending", "differences", "problems")},
        }
        lab.exec("node3", "virsh", "setmaxmem", TWO, "80M", "--config")
        drift = cloud.run(*extra, "-e", f"report={report}", playbook="pextra.cloud.drift")
        assert drift.code == 2
        assert f"instance {TWO} on node3: change the definition" in drift.output, drift.output[-3000:]
        found = json.loads(report.read_text())
        assert (found["differs"], found["complete"], found["problems"]) == (True, True, [])
        assert found["actions"] == [f"instance {TWO} on node3: change the definition"]
        assert lab.domains("node3")[TWO] == "shut off"
        assert "<memory unit='KiB'>81920</memory>" in lab.exec("node3", "virsh", "dumpxml", TWO)
        lab.exec("node3", "virsh", "setmaxmem", TWO, "96M", "--config")
        lab.exec("node3", "virsh", "setmem", TWO, "96M", "--config")
    assert state(lab) == before

    # From now on they change as any other, and nothing restarts.
    changes = {
        "name": WEB,
        "description": "An old server",
        "memory": "128 MiB",
        "root": {"size": "96 MiB", "limits": {"iops": 500}},
        "volumes": [{"name": "logs", "pool": "local", "size": "16 MiB"}],
        "nics": [{"name": "nic0"}, {"name": "back", "port_group": "DMZ"}],
        "tags": ["old"],
    }
    changed, again = cloud.calls(VM, changes, changes)
    assert changed["changed"]
    assert not again["changed"]
    assert {one["option"] for one in again["pending"]} == {"memory"}
    live, config = (lab.exec("node1", "virsh", "dumpxml", *more, WEB) for more in ((), ("--inactive",)))
    assert lab.sh("node1", f"cat /run/libvirt/qemu/{WEB}.pid").strip() == before[WEB][1]
    assert "<memory unit='KiB'>131072</memory>" in config
    assert "<memory unit='KiB'>98304</memory>" in live
    for text in (live, config):
        assert "<total_iops_sec>500</total_iops_sec>" in text
        assert "<description>An old server</description>" in text
        assert f"{WEB}.inst-" in text
        assert text.count("portgroup='DMZ'") == 1
        assert "libosinfo" in text
        assert "<input type='tablet' bus='usb'>" in text
    assert f"<source file='{DISKS[WEB]}'/>" in config
    assert "Capacity:       100663296" in lab.exec("node1", "virsh", "domblkinfo", WEB, "vda")

    # One is given back, as docs/adoption.md says, and one goes with its volumes.
    lab.exec("node3", "virsh", "metadata", TWO, "urn:pextra:instance:1", "--remove", "--config")
    gone, foreign, kept, removed = cloud.calls(
        VM,
        {"name": TWO, "state": "absent", "remove_volumes": True},
        {"name": TWO, "memory": "96 MiB", "vcpus": 1, "fails": True},
        {"name": OUT, "state": "absent", "force_stop": True, "stop_timeout_s": 1},
        {
            "name": WEB,
            "state": "absent",
            "force_stop": True,
            "stop_timeout_s": 1,
            "remove_volumes": True,
            "confirm": "DESTROY",
        },
    )
    assert gone["actions"] == [f"instance {TWO} on node3: forget"]
    assert "that is not ours" in foreign["msg"]
    assert state_of(lab, TWO) == before[TWO]
    assert kept["changed"]
    assert removed["changed"]
    assert lab.sh("node2", f"test -e {DISKS[OUT]} && echo there").strip() == "there"
    assert lab.sh("node1", f"ls {LOCAL} | grep -c {WEB} || true").strip() == "0"
    cloud.run("--tags", "instances").must_change_nothing()


def state_of(lab: Lab, name: str) -> tuple[str, str, list[str]]:
    texts = [lab.exec(HOMES[name], "virsh", "dumpxml", *more, name) for more in ((), ("--inactive",))]
    return lab.domains(HOMES[name])[name], "", texts
