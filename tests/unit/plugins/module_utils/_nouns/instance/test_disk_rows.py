# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a disk is: its limits change while the guest runs, the rest at its next start, and nothing that is not named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.devices.disk import tuning_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Root, Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import (
    Vm,
    find_mistakes_within,
    parse_vm,
)
from instance_model import Model, acts, whole

ROOT, DATA = Root(pool="local", size=1024), Volume(name="data", pool="local", size=64)
WEB = whole(name="web", node="node1", root=ROOT, volumes=(DATA,))


@pytest.fixture
def model() -> Model:
    model = Model.fresh()
    model.converge(WEB)
    return model


def root(**further: Any) -> Vm:
    return Vm(name="web", root=Root(further=further))


def data(**further: Any) -> Vm:
    return Vm(name="web", volumes=(Volume(name="data", further=further),))


def rows(model: Model, *, live: bool = False) -> dict[str, Any]:
    """Return what its disks are, by their serials, but for the seed."""
    guest = model.guest("web")[1]
    found = guest.live if live else guest.config
    assert found is not None
    return {disk.serial: disk.further for disk in found.disks if disk.serial != "seed"}


@pytest.mark.parametrize(
    ("call", "serial", "done", "pending"),
    [
        (root(limits={"iops": 100}), "root", ["define", "limit_disk"], []),
        (data(limits={"bandwidth_read": 5}), "data", ["define", "limit_disk"], []),
        (root(limits={"iops": 100, "iops_burst": 200}), "root", ["define", "limit_disk"], []),
        (root(cache="writeback"), "root", ["define"], ["root.cache"]),
        (data(io="threads", limits={"iops": 7}), "data", ["define", "limit_disk"], ["volumes.data.io"]),
        (data(cache="none", discard="unmap", limits={"iops": 0}), "data", [], []),
    ],
)
def test_a_row_changes_alone(model: Model, call: Vm, serial: str, done: list[str], pending: list[str]) -> None:
    before = rows(model)
    plan = model.call(call)
    assert acts(plan) == done
    assert [change.field for work in plan.works for change in work.pending] == pending
    model.apply(plan)
    named = call.root.further if call.root is not None else (call.volumes or ())[0].further
    for name, after in rows(model).items():
        unnamed = {key: value for key, value in after.items() if name != serial or key not in named}
        assert unnamed == {key: before[name][key] for key in unnamed}
    limits = named.get("limits", {})
    assert rows(model, live=True)[serial]["limits"] == {**before[serial]["limits"], **limits}
    again = model.call(call)
    assert acts(again) == []
    assert [change.field for work in again.works for change in work.pending] == pending


def test_new_disks_have_them() -> None:
    model = Model.fresh()
    limited = replace(DATA, further={"limits": {"bandwidth": 5}, "detect_zeroes": "unmap"})
    model.converge(replace(WEB, root=replace(ROOT, further={"cache": "writeback"}), volumes=(limited,)))
    found = rows(model, live=True)
    assert (found["root"]["cache"], found["root"]["detect_zeroes"]) == ("writeback", "off")
    assert (found["data"]["cache"], found["data"]["detect_zeroes"]) == ("none", "unmap")
    assert found["data"]["limits"]["bandwidth"] == 5
    assert "<total_bytes_sec>5242880</total_bytes_sec>" in model.guest("web")[1].xml


def test_a_limit_made_by_hand_is_told_and_mended(model: Model) -> None:
    """What is no whole number of MiB is no limit that can be declared."""
    guest = model.guest("web")[1]
    serial = "<serial>data</serial>"
    guest.xml = guest.xml.replace(serial, f"{serial}<iotune><total_bytes_sec>1500</total_bytes_sec></iotune>")
    assert rows(model)["data"]["limits"]["bandwidth"] not in (0, 1)
    assert model.call(data(cache="none")).is_empty, "a call that does not name it leaves it"
    plan = model.call(data(limits={"bandwidth": 0}))
    assert [change.field for work in plan.works for change in work.changes] == ["volumes.data.limits.bandwidth"]


@pytest.mark.parametrize(
    ("further", "mistake"),
    [
        ({"io": "native", "cache": "writeback"}, "io: native needs the cache modes none or directsync"),
        ({"bus": "virtio", "wwn": "5000c500a1b2c3d4"}, "wwn: is for the buses scsi and sata"),
        ({"bus": "scsi", "io_thread": 1}, "io_thread: is for the bus virtio"),
        ({"limits": {"iops": 0, "iops_burst": 9}}, "limits.iops_burst: needs iops as well"),
        ({"limits": {"iops": 9, "iops_burst": 5}}, "limits.iops_burst: is 5"),
        ({"limits": {"iops": 5, "iops_read": 1}}, "limits.iops: cannot be together with iops_read and iops_write"),
    ],
)
def test_what_cannot_be_is_told(further: dict[str, Any], mistake: str) -> None:
    other = {**further, "wwn": "5000c500a1b2c3d5"} if "wwn" in further else further
    wrong = replace(WEB, root=replace(ROOT, further=further), volumes=(replace(DATA, further=other),))
    found = [str(one) for one in find_mistakes_within(replace(wrong, further={"io_threads": 1}), "vms[0]")]
    assert [text.partition(";")[0].partition(", and")[0] for text in found] == [
        f"vms[0].root.{mistake}",
        f"vms[0].volumes[0] (data).{mistake}",
    ]


WWN = "5000c500a1b2c3d4"


def test_a_world_wide_name_is_one_disks(model: Model) -> None:
    """A guest takes two disks that share one for two ways to the same blocks."""
    two = tuple(Volume(name=name, pool="local", size=1, further={"bus": "scsi", "wwn": WWN}) for name in ("aaa", "bbb"))
    (mistake,) = find_mistakes_within(replace(WEB, volumes=two), "vms[0]")
    assert str(mistake) == f"vms[0].volumes[1] (bbb).wwn: {WWN} is the World Wide Name of another device of it"
    model.apply(model.call(root(bus="scsi", wwn=WWN)))
    plan = model.call(data(bus="scsi", wwn=WWN))
    assert [one.what for one in plan.refusals] == [f"root and volumes.data have the wwn {WWN}"]


def test_a_world_wide_name_can_be_taken_away(model: Model) -> None:
    """Otherwise its disk could never go to a bus that has none."""
    model.apply(model.call(data(bus="scsi", wwn=WWN)))
    assert f"<wwn>{WWN}</wwn>" in model.guest("web")[1].xml
    (refusal,) = model.call(data(bus="virtio")).refusals
    assert 'and the bus is virtio; write "" for none, or set the bus' in refusal.what
    _, mistakes = parse_vm({"name": "web", "volumes": [{"name": "data", "wwn": ""}]}, "")
    assert mistakes == []
    model.apply(model.call(data(bus="virtio", wwn="")))
    assert "wwn" not in model.guest("web")[1].xml
    assert acts(model.call(data(bus="virtio", wwn=""))) == []


def test_a_burst_goes_with_its_length() -> None:
    limits = {"iops": 100, "iops_burst": 200, "bandwidth_read": 1, "bandwidth_read_burst": 0}
    assert tuning_of(limits) == {
        "total_iops_sec": 100,
        "total_iops_sec_max": 200,
        "total_iops_sec_max_length": 1,
        "read_bytes_sec": 1024**2,
        "read_bytes_sec_max": 0,
        "read_bytes_sec_max_length": 0,
    }


def test_a_burst_made_by_hand_goes_with_its_length(model: Model) -> None:
    guest = model.guest("web")[1]
    serial = "<serial>data</serial>"
    told = "<total_iops_sec>5</total_iops_sec><total_iops_sec_max>9</total_iops_sec_max>"
    length = "<total_iops_sec_max_length>60</total_iops_sec_max_length>"
    guest.xml = guest.xml.replace(serial, f"{serial}<iotune>{told}{length}</iotune>")
    assert rows(model)["data"]["limits"]["iops_burst"] == 9
    model.apply(model.call(data(limits={"iops_burst": 0})))
    assert "_max" not in guest.xml


def targets(model: Model, *, live: bool = False) -> dict[str, str]:
    guest = model.guest("web")[1]
    found = guest.live if live else guest.config
    assert found is not None
    return {disk.serial: disk.target for disk in found.disks if disk.serial != "seed"}


def test_a_disk_goes_to_another_bus_at_the_next_start(model: Model) -> None:
    plan = model.call(data(bus="sata"))
    assert acts(plan) == ["define"]
    assert [change.field for work in plan.works for change in work.pending] == ["volumes.data.bus"]
    model.apply(plan)
    assert targets(model) == {"root": "vda", "data": "sdb"}
    assert targets(model, live=True) == {"root": "vda", "data": "vdb"}
    assert '<target dev="sdb" bus="sata"' in model.guest("web")[1].xml
    assert acts(model.call(data(bus="sata"))) == []
    model.apply(model.call(data(bus="sata"), allow_restart=True, force_stop=True))
    assert targets(model, live=True) == {"root": "vda", "data": "sdb"}
    assert model.call(data(bus="sata")).is_empty


def test_a_disk_on_usb_waits_for_its_controller(model: Model) -> None:
    stick = Volume(name="stick", pool="local", size=64, further={"bus": "usb"})
    wanted = Vm(name="web", volumes=(Volume(name="data"), stick))
    assert '<controller type="usb" model="none"' in model.guest("web")[1].xml
    model.apply(model.call(wanted))
    assert '<controller type="usb" model="qemu-xhci"' in model.guest("web")[1].xml
    assert targets(model)["stick"] == "sdc"
    (work,) = model.call(wanted).works
    assert (work.steps, [change.field for change in work.pending]) == ((), ["volumes.stick.attached"])
    # A second one waits as well: what runs has no ports for USB that libvirt knows of.
    model.apply(model.call(wanted, allow_restart=True, force_stop=True))
    assert model.call(wanted).is_empty


def test_disks_have_threads_that_there_are(model: Model) -> None:
    (refusal,) = model.call(root(io_thread=1)).refusals
    assert refusal.what == "a disk of it has io_thread 1, and it has 0 of them"
    assert refusal.remedy == "Set io_threads: 1 as well, or another io_thread."
    wanted = replace(root(io_thread=1), further={"io_threads": 2})
    model.apply(model.call(wanted))
    assert "<iothreads>2</iothreads>" in model.guest("web")[1].xml
    assert 'iothread="1"' in model.guest("web")[1].xml
    (work,) = model.call(wanted).works
    assert {change.field for change in work.pending} == {"io_threads", "root.io_thread"}
    # A new one that names a thread which the running guest has not waits, too.
    new = Volume(name="more", pool="local", size=64, further={"io_thread": 2})
    model.apply(model.call(Vm(name="web", volumes=(Volume(name="data"), new))))
    (work,) = model.call(Vm(name="web", volumes=(Volume(name="data"), new))).works
    assert [change.field for change in work.pending] == ["volumes.more.attached"]
    (refusal,) = model.call(Vm(name="web", further={"io_threads": 1})).refusals
    assert refusal.what == "a disk of it has io_thread 2, and it has 1 of them"
    wrong = replace(WEB, root=replace(ROOT, further={"io_thread": 2}), further={"io_threads": 1})
    (mistake,) = find_mistakes_within(wrong, "vms[0]")
    assert str(mistake) == "vms[0].io_threads: is 1, and a disk has io_thread 2; write at least as many"


def test_limits_count_at_once_for_a_disk_that_goes_to_another_bus(model: Model) -> None:
    plan = model.call(data(bus="sata", limits={"iops": 5}))
    assert acts(plan) == ["define", "limit_disk"]
    model.apply(plan)
    assert rows(model, live=True)["data"]["limits"]["iops"] == 5


def test_only_a_disk_that_plugs_is_attached_at_once(model: Model) -> None:
    more = Volume(name="more", pool="local", size=64)
    for bus, done, pending in (
        ("sata", ["create_volume", "define", "label"], ["volumes.more.attached"]),
        ("scsi", ["create_volume", "define", "label"], ["volumes.more.attached"]),
        ("virtio", ["create_volume", "define", "attach_disk", "label"], []),
    ):
        fresh = Model.fresh()
        fresh.converge(WEB)
        call = Vm(name="web", volumes=(Volume(name="data"), replace(more, further={"bus": bus})))
        plan = fresh.call(call)
        assert acts(plan) == done
        assert [change.field for work in plan.works for change in work.pending] == pending
        fresh.apply(plan)
        assert acts(fresh.call(call)) == []
        gone = fresh.call(Vm(name="web", volumes=(Volume(name="data"),)))
        assert ("detach_disk" in acts(gone)) is (bus == "virtio")


def test_the_first_disk_on_scsi_brings_its_controller() -> None:
    model = Model.fresh()
    model.converge(replace(WEB, root=replace(ROOT, further={"bus": "scsi"})))
    xml = model.guest("web")[1].xml
    assert xml.count('<controller type="scsi" index="0" model="virtio-scsi"') == 1
    assert '<target dev="sda" bus="scsi"' in xml
    # There is a controller now: the next one plugs.
    plan = model.call(
        Vm(name="web", volumes=(Volume(name="data"), replace(DATA, name="more", further={"bus": "scsi"})))
    )
    assert "attach_disk" in acts(plan)
    model.apply(plan)
    assert model.guest("web")[1].xml.count('<controller type="scsi"') == 1


def test_turns_to_boot_take_the_place_of_the_kind() -> None:
    model = Model.fresh()
    model.converge(WEB)
    assert '<boot dev="hd"' in model.guest("web")[1].xml
    model.apply(model.call(root(boot_order=1)))
    assert "<boot dev=" not in model.guest("web")[1].xml
    assert '<boot order="1"' in model.guest("web")[1].xml
    (refusal,) = model.call(data(boot_order=1)).refusals
    assert refusal.what == "root and volumes.data have the boot_order 1"
    assert model.call(data(boot_order=2)).refusals == ()
    twice = replace(WEB, root=replace(ROOT, further={"boot_order": 1}))
    twice = replace(twice, volumes=(replace(DATA, further={"boot_order": 1}),))
    (mistake,) = find_mistakes_within(twice, "vms[0]")
    assert str(mistake) == "vms[0].volumes[0] (data).boot_order: 1 is the turn of another device of it"


def test_another_disk_may_have_the_name(model: Model) -> None:
    guest = model.guest("web")[1]
    drive = '<disk type="file" device="cdrom"><target dev="sdb" bus="sata"/><readonly/></disk></devices>'
    guest.xml = guest.xml.replace("</devices>", drive)
    (refusal,) = model.call(data(bus="sata")).refusals
    assert refusal.what == "its volumes.data cannot be sdb: another disk of it has that name"
