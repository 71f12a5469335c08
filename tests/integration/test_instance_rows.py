# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of an instance on a real guest: set, set again, changed, taken away; as defined and as it runs."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import pytest

from .instance_rows import DEFINED_ONLY, DEVICES, NIC, ROWS, declare, look
from .lab import Lab, Site, wait_until

NAME = "rows"
RESTART = {"allow_restart": True, "force_stop": True, "stop_timeout_s": 2}
# What a running guest gets at once.
AT_ONCE = ("description", "rng.", "vcpus", "watchdog.")


@pytest.fixture
def guest(lab: Lab, cloud: Site) -> Iterator[Site]:
    boots = lab.console(NAME).count("pextra-guest: ready")
    cloud.module(
        "pextra_vm", name=NAME, node="node1", image="tiny", root={"pool": "local"}, memory="128 MiB", vcpus_max=4
    )
    wait_until("it is up", lambda: lab.console(NAME).count("pextra-guest: ready") > boots, timeout_s=90)
    yield cloud
    cloud.module("pextra_vm", name=NAME, state="absent", force_stop=True, remove_volumes=True, confirm="DESTROY")


def definition(lab: Lab) -> str:
    return lab.exec("node1", "virsh", "dumpxml", "--inactive", NAME)


def running(lab: Lab) -> str:
    return lab.exec("node1", "virsh", "dumpxml", NAME)


def nic_of(xml: str) -> str:
    (found,) = ET.fromstring(xml).iterfind("devices/interface")
    return ET.tostring(found, encoding="unicode")


def is_at_once(name: str) -> bool:
    return name.startswith(AT_ONCE) and name != "vcpus_max"


def require(xml: str, number: int, names: Any) -> None:
    """Every named row is there with the first value (0) or the other one (1)."""
    wrong = {}
    for name in names:
        found = look(xml, ROWS[name].at)
        if found != ROWS[name].shown[number]:
            wrong[name] = (found, ROWS[name].shown[number])
    assert wrong == {}


# A running guest's definition says these in other words.
EXPANDED = ("cpu.model", "cpu.require", "cpu.disable")


def test_every_row_is_set_and_changed(lab: Lab, guest: Site) -> None:
    at_once = [name for name in ROWS if is_at_once(name)]
    later = [name for name in ROWS if not is_at_once(name) and name not in EXPANDED]
    for number in (0, 1):
        declared = {"name": NAME, **declare(number)}
        before = running(lab)
        first, again = guest.calls("pextra_vm", declared, declared)
        assert (first["changed"], again["changed"]) == (True, False)
        assert first["pending"], "most of it waits for the next start, and is told"
        require(definition(lab), number, ROWS)
        now = running(lab)
        require(now, number, at_once)
        moved = [name for name in later if look(now, ROWS[name].at) != look(before, ROWS[name].at)]
        assert moved == [], "a running guest has at once what it was to have at its next start"
        boots = lab.console(NAME).count("pextra-guest: ready")
        restarted, quiet = guest.calls("pextra_vm", {**declared, **RESTART}, declared)
        assert restarted["changed"]
        assert (quiet["changed"], quiet["pending"]) == (False, [])
        require(running(lab), number, [*at_once, *later])
        wait_until("it boots with all of it", lambda n=boots: lab.console(NAME).count("ready") > n, timeout_s=90)
    gone = {"name": NAME, **{name: value for name, (value, _) in DEVICES.items()}}
    first, again = guest.calls("pextra_vm", {**gone, **RESTART}, gone)
    assert (first["changed"], again["changed"], again["pending"]) == (True, False, [])
    for xml in (definition(lab), running(lab)):
        assert [at for _, at in DEVICES.values() if look(xml, f"{at}?")] == []


def test_every_row_of_a_nic_is_set_and_changed(lab: Lab, guest: Site) -> None:
    at_once = [name for name in NIC if name == "link" or name.startswith("limits.")]
    guest.module("pextra_vm", name=NAME, nics=[{"name": "nic0", "port_group": "Production"}])
    for number in (0, 1):
        nic = {"name": "nic0", **declare(number, NIC)}
        first, again = guest.calls("pextra_vm", {"name": NAME, "nics": [nic]}, {"name": NAME, "nics": [nic]})
        assert (first["changed"], again["changed"]) == (True, False)
        assert {change["field"] for change in again["pending"]} >= {f"nics.nic0.{name}" for name in ("mtu", "queues")}
        defined, now = nic_of(definition(lab)), nic_of(running(lab))
        assert {name: look(defined, row.at) for name, row in NIC.items()} == {
            name: row.shown[number] for name, row in NIC.items()
        }
        assert {name: look(now, NIC[name].at) for name in at_once} == {
            name: NIC[name].shown[number] for name in at_once
        }
        guest.module("pextra_vm", name=NAME, nics=[nic], **RESTART)
        now = nic_of(running(lab))
        assert {name: look(now, row.at) for name, row in NIC.items()} == {
            name: row.shown[number] for name, row in NIC.items()
        }
    # A call that names one of them keeps the others.
    guest.module("pextra_vm", name=NAME, nics=[{"name": "nic0", "link": False}])
    assert look(nic_of(running(lab)), "link@state") == "down"
    assert look(nic_of(definition(lab)), "mtu@size") == "1450"
    assert look(nic_of(running(lab)), "bandwidth/inbound@average") == "2048"


def test_what_a_host_lacks_is_refused_by_name(lab: Lab, guest: Site) -> None:
    before = definition(lab)
    for options, lacks in (
        ({"cpu": {"model": "EPYC-of-tomorrow"}}, "it has no CPU model EPYC-of-tomorrow"),
        ({"pinning": {"vcpus": [4000]}}, "it has no thread 4000"),
        ({"memory_backing": {"huge_pages": "3 MiB"}}, "it has no huge pages of 3 MiB"),
    ):
        assert lacks in guest.refused_module("pextra_vm", name=NAME, **options)["msg"]
    assert definition(lab) == before


def test_what_no_host_of_the_lab_has_is_defined(lab: Lab, guest: Site) -> None:
    """Two sizes of huge pages are known to processors of our time; none is set aside here."""
    known = lab.exec("node1", "virsh", "capabilities")
    for name, row in DEFINED_ONLY.items():
        for number in (0, 1):
            if f"size='{row.shown[number]}'" in known:
                guest.module("pextra_vm", name=NAME, **declare(number, {name: row}))
                assert look(definition(lab), row.at) == row.shown[number]
