# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules' own examples, one after the other, each of which changes what it names and nothing else."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ET
from typing import Any

import pytest
import yaml

from .lab import ROOT, Lab, Site

# The lab's cloud has the examples' names already, and what they say would change it.
RENAMED = {"web-1": "example-1", "172.20.0.11/24": "172.20.0.111/24", "DMZ": "example-dmz", "data": "example-data"}


def examples(module: str) -> list[dict[str, Any]]:
    """Return a module's examples as tasks, with names that nothing in the lab has."""
    tree = ast.parse((ROOT / f"plugins/modules/{module}.py").read_text())
    text = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "EXAMPLES"
    )
    return list(renamed(yaml.safe_load(text)))


def pick(module: str, *beginnings: str) -> list[dict[str, Any]]:
    """Return those of a module's examples whose names begin so, each of which must be one."""
    found = []
    for beginning in beginnings:
        (one,) = [task for task in examples(module) if task["name"].startswith(beginning)]
        found.append(one)
    return found


def renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: renamed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [renamed(item) for item in value]
    return RENAMED.get(value, value) if isinstance(value, str) else value


def run(site: Site, task: dict[str, Any]) -> dict[str, Any]:
    """Run an example, which must change something, and again, which must not."""
    first, second = site.play([task, task])
    assert first["changed"], task["name"]
    assert not second["changed"], (task["name"], second.get("actions"))
    return first


def definition(lab: Lab, name: str) -> dict[str, Any]:
    """Return what libvirt says of an instance, without what differs from node to node."""
    root = ET.fromstring(lab.exec(lab.home(name), "virsh", "dumpxml", name, "--inactive"))
    return {
        "uuid": root.findtext("uuid"),
        "memory": root.findtext("memory"),
        "vcpus": root.findtext("vcpu"),
        "metadata": ET.canonicalize(ET.tostring(root.find("metadata"), encoding="unicode"), strip_text=True),
        "disks": [disk.find("source").attrib for disk in root.iter("disk")],
        "nics": [nic.find("mac").get("address") for nic in root.iter("interface")],
    }


@pytest.mark.long
def test_instances(lab: Lab, cloud: Site) -> None:
    made, moved, screen, many, gone = pick(
        "pextra_vm",
        "Run an instance",
        "Move it live",
        "Have a machine on which Windows",
        "Run many",
        "Remove an instance",
    )
    kept, released = pick("pextra_vm", "Keep an instance", "Let it be removed")
    name = RENAMED["web-1"]
    try:
        run(cloud, made)
        home = lab.home(name)
        assert lab.domains(home)[name] == "running"
        before = definition(lab, name)
        assert (before["memory"], before["vcpus"], len(before["disks"]), len(before["nics"])) == ("524288", "2", 2, 1)

        target = next(node for node in lab.nodes if node != home)
        call = moved["pextra.cloud.pextra_vm"]
        assert set(call) == {"name", "node"}, "a call that moves an instance names nothing else"
        run(cloud, {**moved, "pextra.cloud.pextra_vm": {**call, "node": target}})
        assert lab.home(name) == target
        assert definition(lab, name) == before

        assert many["pextra.cloud.pextra_vm"]["vms"] == "{{ instances }}"
        declared = [one for one in cloud.declared() if one["name"] == "batch-1"]
        assert not cloud.play([{**many, "vars": {"instances": declared}}])[-1]["changed"]

        for one in (kept, released):
            one["pextra.cloud.pextra_vm"]["name"] = name
        run(cloud, kept)
        assert "protected" in cloud.refused_module("pextra_vm", **gone["pextra.cloud.pextra_vm"])["msg"]
        assert lab.where(name) == [target]
        run(cloud, released)
        assert definition(lab, name) == before
        run(cloud, gone)
        assert lab.where(name) == []
        run(cloud, screen)
        assert lab.domains(lab.home("desk"))["desk"] == "shut off"
    finally:
        gone = {"force_stop": True, "remove_volumes": True, "confirm": "DESTROY"}
        cloud.module("pextra_vm", vms=[{"name": one, "state": "absent"} for one in (name, "desk")], **gone)


@pytest.mark.long
def test_volumes(lab: Lab, cloud: Site) -> None:
    """As far as the lab has room for them."""
    attached, detached, gone, purged = pick("pextra_volume", "Have a volume", "Detach it", "Destroy one", "Remove what")
    name = RENAMED["data"]
    try:
        attached["pextra.cloud.pextra_volume"]["size"] = "20 MiB"
        run(cloud, attached)
        xml = lab.exec(lab.home("db"), "virsh", "dumpxml", "db")
        assert name in xml
        assert "<total_iops_sec>2000</total_iops_sec>" in xml
        # That it was attached and limited is all that this call takes back.
        run(cloud, detached)
        assert name not in lab.exec(lab.home("db"), "virsh", "dumpxml", "db")
        gone["pextra.cloud.pextra_volume"]["name"] = name
        run(cloud, gone)
        assert not lab.sh("node1", f"ls /srv/shared | grep {name} || true")
        cloud.play([purged])
    finally:
        cloud.remove_volumes(name)


@pytest.mark.long
def test_port_groups(lab: Lab, cloud: Site) -> None:
    untagged, gone = examples("pextra_port_group")[2:4]
    name = RENAMED["DMZ"]
    options = {"name": name, "vswitch": "svswitch10", "vlan": 99}
    try:
        run(cloud, {**untagged, "pextra.cloud.pextra_port_group": {"name": "Native", "vswitch": "svswitch10"}})
        run(cloud, {"name": "tagged", "pextra.cloud.pextra_port_group": options})
        assert f"<portgroup name='{name}'>" in lab.exec("node1", "virsh", "net-dumpxml", "svswitch10")
        # A call that names the description leaves the VLAN.
        run(cloud, {"name": "described", "pextra.cloud.pextra_port_group": {"name": name, "description": "outside"}})
        assert "<tag id='99'/>" in lab.exec("node1", "virsh", "net-dumpxml", "svswitch10").split(name)[1]
        run(cloud, gone)
        assert name not in lab.exec("node1", "virsh", "net-dumpxml", "svswitch10")
    finally:
        for one in (name, "Native"):
            cloud.play([{"pextra.cloud.pextra_port_group": {"name": one, "state": "absent"}, "ignore_errors": True}])
