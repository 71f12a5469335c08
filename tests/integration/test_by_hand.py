# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person does to a running instance with virsh, and what the next call makes of it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import pytest

from .lab import GONE, Lab, Site

VM, VOLUME = "pextra_vm", "pextra_volume"
NAME, NODE, THICK = "handled", "node1", "it-thick"
NICS = [{"name": "lan", "port_group": "Production"}, {"name": "bak", "port_group": "DMZ"}]


def data(size: str) -> dict[str, Any]:
    return {"name": "data", "pool": "local", "size": size}


@pytest.fixture
def handled(cloud: Site) -> Iterator[Site]:
    root = {"pool": "local"}
    cloud.module(
        VM, name=NAME, node=NODE, image="tiny", memory="96 MiB", root=root, volumes=[data("16 MiB")], nics=NICS
    )
    yield cloud
    cloud.module(VM, name=NAME, **GONE)
    cloud.remove_volumes("it-")


def target_of(disk: ET.Element) -> str:
    return str(disk.find("target").get("dev"))


def disk(lab: Lab, name: str) -> tuple[str, int, int]:
    """Return a disk, by its serial number or its target: its target, and its MiB to the guest and in its file."""
    root = ET.fromstring(lab.exec(NODE, "virsh", "dumpxml", NAME))
    named = {key: one for one in root.iterfind("devices/disk") for key in (one.findtext("serial"), target_of(one))}
    target, path = target_of(named[name]), named[name].find("source").get("file")
    monitor = ("qemu-monitor-command", NAME, '{"execute": "query-block"}')
    blocks = json.loads(lab.exec(NODE, "virsh", *monitor))["return"]
    (size,) = [
        one["inserted"]["image"]["virtual-size"]
        for one in blocks
        if one.get("inserted", {}).get("file", "").endswith(path)
    ]
    file = json.loads(lab.exec(NODE, "qemu-img", "info", "--force-share", "--output=json", path))["virtual-size"]
    return target, size // 1024**2, file // 1024**2


def macs(lab: Lab, *options: str) -> list[str]:
    lines = lab.exec(NODE, "virsh", "domiflist", NAME, *options).splitlines()[2:]
    return sorted(line.split()[-1] for line in lines if line.strip())


def test_a_disk_that_was_grown_by_hand_is_not_cut_off(handled: Site, lab: Lab) -> None:
    """libvirt makes a running guest's disk smaller without a word."""
    target, *_ = disk(lab, "data")
    lab.exec(NODE, "virsh", "blockresize", NAME, target, "64M")
    for size, is_ in (("32 MiB", 64), ("96 MiB", 96)):
        grown = {"name": NAME, "volumes": [data(size)]}
        first, again = handled.calls(VM, grown, grown)
        assert (first["changed"], again["changed"]) == (True, False)
        assert disk(lab, "data") == (target, is_, is_)


@pytest.mark.long
def test_a_thick_volume_grows_while_the_guest_runs(handled: Site, lab: Lab) -> None:
    """Its file grows first, and the guest sees it."""
    made = {"name": THICK, "pool": "local", "size": "16 MiB", "provisioning": "thick", "attached_to": NAME}
    grown = {"name": THICK, "size": "24 MiB"}
    attached, first, again = handled.calls(VOLUME, made, grown, grown)
    assert (first["changed"], again["changed"]) == (True, False)
    assert disk(lab, attached["volume"]["target"])[1:] == (24, 24)


@pytest.mark.long
def test_a_nic_that_was_taken_out_of_the_definition_comes_back(handled: Site, lab: Lab) -> None:
    had = macs(lab)
    lab.exec(NODE, "virsh", "detach-interface", NAME, "network", "--mac", had[0], "--config")
    assert macs(lab, "--inactive") == had[1:]
    wanted = {"name": NAME, "nics": NICS}
    first, again = handled.calls(VM, wanted, wanted)
    assert (first["changed"], again["changed"]) == (True, False)
    assert macs(lab, "--inactive") == macs(lab) == had
