# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people, crashes and older versions leave of an instance, which no call of the module would."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import mac_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Nic, Root, Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.registered import STAYS_OFF
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import named_nics
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from instance_model import Guest, Model, acts, whole

NICS = (Nic(name="lan", port_group="Production"), Nic(name="bak", port_group="Backup"))
CHOSEN = tuple(replace(nic, mac=f"52:54:00:00:00:0{n}") for n, nic in enumerate(NICS))
WEB = whole(name="web", image="tiny", root=Root(pool="shared"), nics=NICS)


@pytest.fixture
def model() -> Model:
    return Model.fresh()


def without_nic(guest: Guest, mac: str) -> str:
    root = ET.fromstring(guest.xml)
    devices = root.find("devices")
    assert devices is not None
    for nic in devices.findall("interface"):
        if nic.find(f"mac[@address='{mac}']") is not None:
            devices.remove(nic)
    return ET.tostring(root, encoding="unicode")


def macs(model: Model) -> dict[str, str]:
    return {label.name: one.mac for label, one in named_nics(model.guest("web")[1].config)}


@pytest.mark.parametrize("power", ["running", "stopped"])
@pytest.mark.parametrize("nics", [NICS, CHOSEN, tuple(replace(nic, name=None) for nic in NICS)])
@pytest.mark.parametrize("lost", [0, 1])
def test_a_nic_that_was_taken_out_of_the_definition(model: Model, power: str, nics: tuple[Nic, ...], lost: int) -> None:
    """It comes back as it was, the other one stays, and so does what the guest has."""
    want = replace(WEB, nics=nics, power=power)
    model.converge(want)
    guest, had = model.guest("web")[1], macs(model)
    live = guest.live
    assert len({*had.values()}) == 2
    guest.xml = without_nic(guest, [*had.values()][lost])
    assert len(macs(model)) == 1
    assert {step for step in acts(model.converge(want)) if step.endswith("_nic")} == set()
    assert macs(model) == had
    guest = model.guest("web")[1]
    assert (guest.live and {one.mac for one in guest.live.interfaces}) == (live and {*had.values()})


def test_what_is_left_of_the_nics_is_not_another_one_to_a_call(model: Model) -> None:
    model.converge(WEB)
    guest, had = model.guest("web")[1], macs(model)
    guest.xml = without_nic(guest, had["lan"])
    plan = model.call(Vm(name="web", nics=(Nic(name="lan"), Nic(name="bak"))))
    assert [one.what for one in plan.refusals] == ["its NIC lan is new, and its port group is missing"]
    plan = model.call(Vm(name="web", nics=(Nic(name="lan", port_group="DMZ", mac=had["bak"]), Nic(name="bak"))))
    assert [one.what for one in plan.refusals] == [f"two of its NICs have the MAC address {had['bak']}"]


def test_a_mac_that_an_older_version_did_not_write_down(model: Model) -> None:
    want = replace(WEB, nics=CHOSEN)
    model.converge(want)
    guest, had = model.guest("web")[1], macs(model)
    assert [label.mac for label in guest.config.labels.nics] == [*had.values()]
    guest.xml = re.sub(r'(<\S*nic [^>]*?) mac="[^"]*"', r"\1", guest.xml)
    assert [label.mac for label in guest.config.labels.nics] == [None, None]
    assert guest.live is not None
    guest.live = replace(guest.live, labels=guest.config.labels)
    assert macs(model) == had
    assert model.plan(want).is_empty
    assert model.call(Vm(name="web", nics=(Nic(name="lan"), Nic(name="bak")))).effective == ()


def test_a_mac_of_its_own_is_not_written_down(model: Model) -> None:
    model.converge(WEB)
    labels = model.guest("web")[1].config.labels
    assert [label.mac for label in labels.nics] == [None, None]
    assert macs(model) == {name: mac_of(labels.id, name) for name in ("lan", "bak")}


# Its QEMU ended


def crashed(model: Model) -> Guest:
    model.converge(WEB)
    guest = model.guest("web")[1]
    guest.live, guest.live_xml, guest.power, guest.has_crashed = None, None, "stopped", True
    return guest


def test_what_is_declared_stopped_after_a_crash_stays_off(model: Model) -> None:
    crashed(model)
    stopped = replace(WEB, power="stopped")
    plan = model.converge(stopped)
    assert acts(plan) == ["register"]
    assert [(one.field, one.before, one.after) for one in plan.works[0].changes] == [("power", "crashed", "stopped")]
    (row,) = model.rows.values()
    assert row.attributes[STAYS_OFF] is True
    # A restart of libvirtd makes it forget why; a call that says something else leaves it off.
    model.guest("web")[1].has_crashed = False
    assert model.plan(stopped).is_empty
    model.apply(model.call(Vm(name="web", description="Front")))
    (row,) = model.rows.values()
    assert row.attributes[STAYS_OFF] is True
    model.converge(replace(WEB, description="Front", power="running"))
    (row,) = model.rows.values()
    assert STAYS_OFF not in row.attributes


def test_what_is_not_declared_stopped_is_the_job_s_to_start(model: Model) -> None:
    crashed(model)
    assert model.call(Vm(name="web")).is_empty
    assert acts(model.converge(replace(WEB, power="running"))) == ["start"]


# Where it is


def test_anti_affinity_of_two_that_are_together_already(model: Model) -> None:
    both = [replace(WEB, name=name, node="node1") for name in ("web", "db")]
    model.converge(*both)
    wanted = [replace(one, anti_affinity="front") for one in both]
    plan = model.plan(*wanted)
    assert [one.resource for one in plan.refusals] == ["instance db"]
    assert plan.refusals[0].what == "node1 holds another instance of anti-affinity front"
    model.converge(wanted[0], replace(wanted[1], node="node2"))


def test_a_nic_goes_to_a_switch_in_user_space(model: Model) -> None:
    """Also where the call says no more than the node."""
    model.converge(replace(WEB, node="node1"))
    model.nodes["node2"].userspace = {"svswitch1"}
    plan = model.call(Vm(name="web", node="node2"))
    assert [one.field for one in plan.works[0].pending] == ["nics.lan.offload"]
    model.apply(plan)
    node, guest = model.guest("web")
    assert node == "node2"
    assert {label.name: one.offload for label, one in named_nics(guest.config)} == {"lan": False, "bak": True}


def test_a_volume_that_is_larger_than_declared_is_not_cut_off(model: Model) -> None:
    data = Volume(name="data", pool="local", size=64)
    model.converge(replace(WEB, volumes=(data,)))
    node, _ = model.guest("web")
    (volume,) = (one for name, one in model.volumes(node, "local").items() if ".data." in name)
    volume.size = 2048
    model.converge(replace(WEB, volumes=(replace(data, size=128),)))
    assert volume.size == 2048
