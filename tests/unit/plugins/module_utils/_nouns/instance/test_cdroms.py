# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives: what is in one changes while the guest runs, the drive itself at its next start, and nothing of others."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import Disk
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_cdroms import change_medium
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Cdrom, Root, Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm, find_mistakes_within
from instance_model import DISC, RESCUE, SHARED, Model, acts, step_of, whole

WEB = whole(
    name="web",
    node="node1",
    root=Root(pool="shared", size=1024),
    volumes=(Volume(name="data", pool="shared", size=64),),
    cdroms=(Cdrom(name="cd-1", image="disc"),),
)
DISC_FILE, RESCUE_FILE = (f"/srv/shared/{row.id}.raw" for row in (DISC, RESCUE))


@pytest.fixture
def model() -> Model:
    model = Model.fresh()
    model.converge(WEB)
    return model


def drives(*cdroms: Cdrom) -> Vm:
    return Vm(name="web", cdroms=cdroms)


def media(model: Model, *, live: bool = False) -> dict[str, str]:
    """Return what is in its drives, by their names."""
    guest = model.guest("web")[1]
    found = guest.live if live else guest.config
    assert found is not None
    return {drive.serial: drive.path for drive in found.cdroms}


def element(model: Model, name: str = "cd-1") -> Any:
    root = ET.fromstring(model.guest("web")[1].xml)
    (found,) = (one for one in root.iterfind("devices/disk") if one.findtext("serial") == name)
    return found


def told(model: Model, want: Vm) -> tuple[list[str], list[str], list[str]]:
    """Return the acts of a call, its changes, and what it waits for."""
    plan = model.call(want)
    assert plan.refusals == (), [str(one) for one in plan.refusals]
    changes = [change.field for work in plan.works for change in work.changes]
    return acts(plan), changes, [change.field for work in plan.works for change in work.pending]


def refused(model: Model, want: Vm) -> str:
    plan = model.call(want)
    return " ".join(str(one) for one in (*plan.refusals, *plan.failures))


def test_a_drive_is_made_raw_and_read_only(model: Model) -> None:
    drive = element(model)
    assert (drive.get("type"), drive.get("device")) == ("file", "cdrom")
    assert drive.find("driver").attrib == {"name": "qemu", "type": "raw"}
    assert drive.find("source").attrib == {"file": DISC_FILE}
    # vda is the root volume, vdb the further one.
    assert drive.find("target").attrib == {"dev": "sdc", "bus": "sata"}
    assert drive.find("readonly") is not None
    assert model.guest("web")[1].config.labels.cdroms[0].image == "disc"
    (work,) = model.plan(WEB, replace(WEB, name="other")).effective
    assert {"image disc", "pool shared"} <= set(work.uses)


@pytest.mark.parametrize(
    ("call", "done", "changes", "pending"),
    [
        (drives(Cdrom(name="cd-1")), [], [], []),
        (drives(Cdrom(name="cd-1", image="disc")), [], [], []),
        (Vm(name="web", memory=None), [], [], []),
        (
            drives(Cdrom(name="cd-1", image="rescue")),
            ["define", "change_medium", "label"],
            ["cdroms.cd-1.image"],
            [],
        ),
        (drives(Cdrom(name="cd-1", image="")), ["define", "change_medium", "label"], ["cdroms.cd-1.image"], []),
        (
            drives(Cdrom(name="cd-1", pool="local")),
            ["define", "change_medium", "label"],
            ["cdroms.cd-1.image"],
            [],
        ),
        (
            drives(Cdrom(name="cd-1", image=RESCUE.id, further={"boot_order": 1})),
            ["define", "change_medium", "label"],
            ["cdroms.cd-1.image", "cdroms.cd-1.boot_order"],
            ["cdroms.cd-1.boot_order"],
        ),
        (
            drives(Cdrom(name="cd-1"), Cdrom(name="cd-2")),
            ["define", "label"],
            ["cdroms.cd-2.attached"],
            ["cdroms.cd-2.attached"],
        ),
        (drives(), ["define", "label"], ["cdroms.cd-1.attached"], ["cdroms.cd-1.attached"]),
        (drives(Cdrom(name="cd-1", further={"bus": "scsi"})), ["define"], ["cdroms.cd-1.bus"], ["cdroms.cd-1.bus"]),
    ],
)
def test_what_a_call_names_changes(
    model: Model, call: Vm, done: list[str], changes: list[str], pending: list[str]
) -> None:
    assert told(model, call) == (done, changes, pending)
    model.apply(model.call(call))
    # A drive comes and goes at the next start, which is told until then.
    assert told(model, call) == ([], [], pending)
    model.apply(model.call(call, allow_restart=True))
    assert told(model, call) == ([], [], [])
    assert media(model) == media(model, live=True)


def test_media_change_at_once(model: Model) -> None:
    assert media(model, live=True) == {"cd-1": DISC_FILE}
    model.apply(model.call(drives(Cdrom(name="cd-1", image="rescue"))))
    assert media(model) == media(model, live=True) == {"cd-1": RESCUE_FILE}
    model.apply(model.call(drives(Cdrom(name="cd-1", image=""))))
    assert media(model) == media(model, live=True) == {"cd-1": ""}
    assert element(model).find("source") is None


def test_a_drive_that_goes_and_comes_back_before_a_restart_is_the_one_that_runs(model: Model) -> None:
    model.apply(model.call(drives()))
    assert (media(model), media(model, live=True)) == ({}, {})
    call = drives(Cdrom(name="cd-1", image="rescue"))
    model.apply(model.call(call))
    assert media(model) == media(model, live=True) == {"cd-1": RESCUE_FILE}
    assert told(model, call) == ([], [], [])


def test_another_content_of_the_image_is_put_in(model: Model) -> None:
    fresh = replace(DISC, id="img-EEEEEEEEEEEEEEEEEEEEE")
    model.members[model.members.index(DISC)] = fresh
    for node in model.nodes.values():
        node.pools["shared"][f"{fresh.id}.raw"] = node.pools["shared"][f"{DISC.id}.raw"]
    assert told(model, drives(Cdrom(name="cd-1"))) == ([], [], []), "what is in it is not named"
    call = drives(Cdrom(name="cd-1", image="disc"))
    assert told(model, call) == (["define", "change_medium"], ["cdroms.cd-1.image"], [])
    model.apply(model.call(call))
    assert media(model, live=True) == {"cd-1": f"/srv/shared/{fresh.id}.raw"}


def test_what_was_done_by_hand_is_mended_where_it_is_named(model: Model) -> None:
    guest = model.guest("web")[1]
    assert guest.live is not None
    guest.live = replace(guest.live, cdroms=(replace(guest.live.cdroms[0], path=""),))
    assert told(model, drives(Cdrom(name="cd-1"))) == ([], [], [])
    call = drives(Cdrom(name="cd-1", image="disc"))
    assert told(model, call) == (["change_medium"], ["cdroms.cd-1.image"], [])
    model.apply(model.call(call))
    assert media(model, live=True) == {"cd-1": DISC_FILE}


def test_a_header_of_qcow2_is_never_interpreted(model: Model) -> None:
    """Someone has let QEMU take what is in the drive for qcow2: the next definition says raw again."""
    guest = model.guest("web")[1]
    root = ET.fromstring(guest.xml)
    (driver,) = root.iterfind("devices/disk[@device='cdrom']/driver")
    driver.set("type", "qcow2")
    guest.xml = ET.tostring(root, encoding="unicode")
    model.apply(model.call(drives(Cdrom(name="cd-1"), Cdrom(name="cd-2"))))
    assert element(model).find("driver").get("type") == "raw"


def test_what_is_not_ours_stays(model: Model) -> None:
    guest = model.guest("web")[1]
    foreign = (
        '<disk type="file" device="cdrom"><driver name="qemu" type="raw"/><source file="/srv/own.iso"/>'
        '<target dev="sdx" bus="sata"/><readonly/><serial>theirs</serial></disk>'
        '<disk type="file" device="cdrom"><target dev="sdy" bus="sata"/><readonly/></disk>'
    )
    guest.xml = guest.xml.replace("</devices>", f"{foreign}</devices>")
    for call in (drives(Cdrom(name="cd-2", image="disc")), drives()):
        model.apply(model.call(call))
        assert 'file="/srv/own.iso"' in guest.xml
        assert 'dev="sdy"' in guest.xml
    assert "drive of the serial number theirs that was made by hand" in refused(model, drives(Cdrom(name="theirs")))


@pytest.mark.parametrize(
    ("want", "why"),
    [
        (drives(Cdrom(name="cd-1", image="tiny")), "image tiny is of kind disk, and cannot be put into a drive"),
        (drives(Cdrom(name="cd-1", image="none-such")), 'there is no image "none-such"'),
        (drives(Cdrom(name="cd-1", image="rescue", pool="san")), "of type iscsi, where there are no images"),
        (drives(Cdrom(name="cd-1", image="rescue", pool="nowhere")), 'there is no storage pool "nowhere"'),
        (Vm(name="web", image="disc"), "image disc is of kind iso, from which no instance begins"),
        (whole(name="new", image="disc", root=Root(pool="local")), "image disc is of kind iso"),
        (
            whole(name="new", cdroms=(Cdrom(name="cd-1", image="disc"),)),
            "cdroms[0] (cd-1).pool: is missing; without a root volume",
        ),
    ],
)
def test_what_cannot_be_is_refused(model: Model, want: Vm, why: str) -> None:
    assert why in refused(model, want)


def test_an_instance_goes_where_the_copy_is() -> None:
    model = Model.fresh()
    for name in ("node1", "node3"):
        del model.nodes[name].pools["local"][f"{DISC.id}.raw"]
    want = whole(name="web", cdroms=(Cdrom(name="cd-1", image="disc", pool="local"),))
    model.converge(want)
    assert model.guest("web")[0] == "node2"
    assert "image disc has no copy in storage pool local there" in refused(model, Vm(name="web", node="node3"))
    elsewhere = replace(want, name="other", node="node1")
    assert "image disc has no copy in storage pool local there" in refused(model, elsewhere)


def test_a_copy_that_is_not_complete_is_none() -> None:
    model = Model.fresh()
    copies = [key for key in DISC.attributes["copies"] if key != f"{SHARED.id}/"]
    model.members[model.members.index(DISC)] = replace(DISC, attributes={**DISC.attributes, "copies": copies})
    assert "the copy of image disc in storage pool shared there is not complete" in refused(model, WEB)


def test_it_moves_with_what_is_in_its_drive(model: Model) -> None:
    plan = model.call(Vm(name="web", node="node2"))
    assert step_of(plan, "move").data["pools"] == ("shared",)
    model.apply(plan)
    assert model.guest("web")[0] == "node2"
    assert media(model, live=True) == {"cd-1": DISC_FILE}
    # A pool of each node's own does as well where the other node has the copy too.
    model.apply(model.call(drives(Cdrom(name="cd-1", pool="local"))))
    plan = model.call(Vm(name="web", node="node1"))
    assert set(step_of(plan, "move").data["pools"]) == {"shared", "local"}
    model.apply(plan)
    assert media(model, live=True) == {"cd-1": f"/srv/local/{DISC.id}.raw"}


LIVE = """<domain><devices>
<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='/srv/shared/old.raw' index='2'/>
<backingStore/><target dev='sdc' bus='sata' tray='open'/><readonly/><serial>cd-1</serial><alias name='sata0-0-2'/>
<address type='drive' controller='0' bus='0' target='0' unit='2'/></disk></devices></domain>"""


@pytest.mark.parametrize(
    ("drive", "kind", "source"),
    [
        (Disk(target="sdc", path="/srv/shared/new.raw", serial="cd-1"), "file", {"file": "/srv/shared/new.raw"}),
        (
            Disk(target="sdc", path="/dev/vg0/new.raw", serial="cd-1", kind="block"),
            "block",
            {"dev": "/dev/vg0/new.raw"},
        ),
        (Disk(target="sdc", path="", serial="cd-1"), "file", None),
    ],
)
def test_a_running_drive_gets_another_medium_and_nothing_else(
    drive: Disk, kind: str, source: dict[str, str] | None
) -> None:
    changed = change_medium(LIVE, drive)
    assert changed is not None
    found = ET.fromstring(changed)
    assert found.get("type") == kind
    medium = found.find("source")
    assert (None if medium is None else medium.attrib) == source
    assert found.find("alias") is not None
    address = found.find("address")
    assert address is not None
    assert address.get("unit") == "2"
    assert change_medium(LIVE, replace(drive, serial="cd-2")) is None


@pytest.mark.parametrize(
    ("vm", "mistake"),
    [
        (whole(name="w", cdroms=tuple(Cdrom(name=f"cd-{n}") for n in range(5))), "vms[0].cdroms: are 5; an instance"),
        (
            whole(name="w", volumes=(Volume(name="cd-1", pool="a", size=1),), cdroms=(Cdrom(name="cd-1"),)),
            'vms[0].cdroms[0] (cd-1).name: "cd-1" is taken by another device of it',
        ),
        (
            whole(
                name="w",
                root=Root(pool="a", further={"boot_order": 1}),
                cdroms=(Cdrom(name="cd-1", further={"boot_order": 1}),),
            ),
            "vms[0].cdroms[0] (cd-1).boot_order: 1 is the turn of another device of it",
        ),
    ],
)
def test_mistakes(vm: Vm, mistake: str) -> None:
    assert [str(one)[: len(mistake)] for one in find_mistakes_within(vm, "vms[0]")] == [mistake]


def test_a_call_that_names_a_drive_alone_cannot_call_it_as_a_volume(model: Model) -> None:
    (volume,) = (one.name for one in model.guest("web")[1].config.labels.volumes if one.name != "root")
    assert f"cdroms.{volume} would have one name" in refused(model, drives(Cdrom(name=volume)))
