# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks with a thread, on SCSI with a World Wide Name, and on USB, which the guest gets at its next start."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import pytest

from .instance_rows import look
from .lab import GONE, Lab, Site, wait_until

NAME = "buses"
RESTART = {"allow_restart": True, "force_stop": True, "stop_timeout_s": 2}
WWN = ("5000c500a1b2c3d4", "5000c500a1b2c3d5")
NEW = {"pool": "local", "size": "8 MiB"}


@pytest.fixture
def guest(lab: Lab, cloud: Site) -> Iterator[Site]:
    boots = lab.console(NAME).count("pextra-guest: ready")
    cloud.module(
        "pextra_vm",
        name=NAME,
        node="node1",
        image="tiny",
        memory="128 MiB",
        io_threads=2,
        root={"pool": "local", "io_thread": 1},
        volumes=[{"name": "scsi", **NEW, "bus": "scsi", "wwn": WWN[0]}],
    )
    wait_until("it is up", lambda: lab.console(NAME).count("pextra-guest: ready") > boots, timeout_s=90)
    yield cloud
    cloud.module("pextra_vm", name=NAME, **GONE)


def shown(lab: Lab, name: str, at: str, *options: str) -> str | None:
    xml = lab.exec("node1", "virsh", "dumpxml", NAME, *options)
    found = [one for one in ET.fromstring(xml).iterfind("devices/disk") if one.findtext("serial") == name]
    return look(ET.tostring(found[0], encoding="unicode"), at) if found else None


@pytest.mark.long
def test_disks_on_other_buses(lab: Lab, guest: Site) -> None:
    for options in ((), ("--inactive",)):
        assert shown(lab, "root", "driver@iothread", *options) == "1"
        assert shown(lab, "scsi", "wwn", *options) == WWN[0]
    # The guest counts its disks on SCSI by itself.
    assert "pextra-guest: disk sda 8388608 bytes" in lab.since_boot(NAME)

    def call(**stick: Any) -> dict[str, Any]:
        volumes = [{"name": "scsi", "wwn": WWN[1]}, {"name": "stick", **stick, "bus": "usb"}]
        return {"name": NAME, "root": {"io_thread": 2}, "volumes": volumes}

    first, again = guest.calls("pextra_vm", call(**NEW), call())
    assert (first["changed"], again["changed"]) == (True, False)
    waits = {"root.io_thread", "volumes.scsi.wwn", "volumes.stick.attached"}
    assert {change["option"] for change in again["pending"]} == waits
    assert shown(lab, "stick", "target@bus", "--inactive") == "usb"
    assert shown(lab, "stick", "target@bus") is None, "a running guest has no controller for it"
    restarted, quiet = guest.calls("pextra_vm", {**call(), **RESTART}, call())
    assert (restarted["changed"], quiet["changed"], quiet["pending"]) == (True, False, [])
    for options in ((), ("--inactive",)):
        assert shown(lab, "root", "driver@iothread", *options) == "2"
        assert shown(lab, "scsi", "wwn", *options) == WWN[1]
        assert shown(lab, "stick", "target@bus", *options) == "usb"
    for wrong, told in (
        ({"root": {"io_thread": 3}}, "a disk of it has io_thread 3, and it has 2 of them"),
        ({"io_threads": 1}, "a disk of it has io_thread 2, and it has 1 of them"),
        ({"root": {"wwn": WWN[0]}}, "is for the buses scsi and sata, and the bus is virtio"),
    ):
        assert told in guest.refused_module("pextra_vm", name=NAME, **wrong)["msg"]
