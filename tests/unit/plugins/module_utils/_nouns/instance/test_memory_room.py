# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory is plugged as far as there is room for it, and given back as far as the guest does; the rest waits."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.foreign import size_of_foreign
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.memory_room import Plugged, find_plugged
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm, find_mistakes_within
from instance_model import Model, acts, whole

EVEN = "With room for more, memory is 128 MiB at least and a multiple of 2 MiB, and memory_max a multiple of 128 MiB."
WEB = whole(name="web", node="node1", memory=512, vcpus=1, further={"memory_max": 1024})


def call(memory: int | None = None, **further: Any) -> Vm:
    return Vm(name="web", memory=memory, further=further)


def waiting(model: Model, wanted: Vm) -> list[tuple[str, Any, Any]]:
    (work,) = model.call(wanted).works
    assert not work.steps
    return [(one.field, one.before, one.after) for one in work.pending]


def shape(model: Model) -> Plugged | None:
    return find_plugged(ET.fromstring(model.guest("web")[1].xml))


def runs(model: Model) -> Plugged | None:
    return find_plugged(ET.fromstring(model.guest("web")[1].live_xml or ""))


@pytest.fixture
def model() -> Model:
    model = Model.fresh()
    model.converge(WEB)
    assert model.call(WEB).is_empty
    return model


def test_the_definition_says_it_as_libvirt_does(model: Model) -> None:
    root = ET.fromstring(model.guest("web")[1].xml)
    assert [root.findtext(tag) for tag in ("memory", "currentMemory", "maxMemory")] == ["1048576", "524288", "1048576"]
    (cell,) = root.iterfind("cpu/numa/cell")
    assert cell.attrib == {"id": "0", "cpus": "0", "memory": "524288", "unit": "KiB"}
    (device,) = root.iterfind("devices/memory")
    assert device.get("model") == "virtio-mem"
    said = {one.tag: one.text for one in device.iterfind("target/*")}
    assert said == {"size": "524288", "node": "0", "block": "2048", "requested": "0"}


def test_it_has_a_slot(model: Model) -> None:
    other = Model.fresh()
    other.converge(replace(WEB, further={}))
    ports = [one.guest("web")[1].xml.count("pcie-root-port") for one in (model, other)]
    assert ports[0] == ports[1] + 1


def test_a_guest_gets_more_and_gives_it_back(model: Model) -> None:
    for memory, begun, asked in ((1024, None, 1024), (770, 768, 770), (512, 512, 512)):
        plan = model.call(call(memory))
        assert acts(plan) == ["register", "define", "plug"]
        assert [(one.field, one.when) for one in plan.works[0].changes] == [("memory", "hot_plug")]
        assert plan.works[0].claim.room.memory >= memory
        model.apply(plan)
        assert model.call(call(memory)).is_empty
        assert runs(model) == Plugged(512, asked, asked, 1024)
        # What its next start gives needs as little of a driver as can be.
        assert shape(model) == (Plugged(begun, memory, memory, 1024) if begun else None)


def test_a_killed_run_is_caught_up_with(model: Model) -> None:
    model.guest("web")[1].xml = (
        model.guest("web")[1]
        .xml.replace(">0</requested>", ">65536</requested>")
        .replace('<currentMemory unit="KiB">524288<', '<currentMemory unit="KiB">589824<')
    )
    plan = model.call(call(576))
    assert acts(plan) == ["register", "plug"]
    model.apply(plan)
    assert model.call(call(576)).is_empty


def test_what_a_guest_keeps_is_counted_and_waits(model: Model) -> None:
    model.apply(model.call(call(1024)))
    model.guest("web")[1].keeps_memory = True
    model.apply(model.call(call(640, memory_max=1024)))
    assert runs(model) == Plugged(512, 640, 1024, 1024)
    assert waiting(model, call(640)) == [("memory", 1024, 640)]
    ((domain,),) = model.have.domains.values()
    assert domain.size.memory == 1024
    # It may have more again, though it has not given back.
    plan = model.call(call(900))
    assert acts(plan) == ["register", "define", "plug"]


def test_what_it_was_not_started_with_waits(model: Model) -> None:
    for memory, most in ((2048, 4096), (256, 1024), (513, 513)):
        wanted = call(memory, memory_max=most)
        model.apply(model.call(wanted))
        pending = {field: (before, after) for field, before, after in waiting(model, wanted)}
        assert pending["memory"] == (512, memory)
        assert pending.get("memory_max", (1024, most)) == (1024, most)


def test_what_is_all_in_use_keeps_its_room(model: Model) -> None:
    model.converge(call(1024))
    root = ET.fromstring(model.guest("web")[1].xml)
    # QEMU takes no room that is none.
    assert [root.findtext(tag) for tag in ("memory", "currentMemory", "maxMemory")] == ["1048576", "1048576", "1179648"]
    assert root.find("devices/memory") is None
    assert model.call(call(memory_max=1024)).is_empty
    model.converge(call(600))
    assert shape(model) == Plugged(512, 600, 600, 1024)


def test_fewer_vcpus_at_most_are_those_of_the_cell(model: Model) -> None:
    model.converge(Vm(name="web", further={"vcpus_max": 4}))
    model.converge(Vm(name="web", further={"vcpus_max": 2}))
    assert '<cell id="0" cpus="0-1"' in model.guest("web")[1].xml


def test_other_pages_are_plugged_in_larger_blocks(model: Model) -> None:
    (refusal,) = model.call(call(memory_backing={"huge_pages": 1024})).refusals
    assert refusal.what == "memory: it is to have 512 MiB of memory, and can have 1024 MiB"
    assert refusal.remedy.startswith("With room for more, memory is 1024 MiB at least and a multiple of 1024 MiB")
    model.converge(call(2048, memory_max=4096, memory_backing={"huge_pages": 1024}))
    assert '<block unit="KiB">1048576<' in model.guest("web")[1].xml


@pytest.mark.parametrize(
    ("wanted", "what", "remedy"),
    [
        (
            call(2048),
            "memory: it can have 1024 MiB of memory, and is to have 2048 MiB",
            "Set memory_max: 2048 MiB as well, or at most 1024 MiB of memory.",
        ),
        (
            call(513),
            "memory: it is to have 513 MiB of memory, and can have 1024 MiB",
            EVEN,
        ),
        (
            call(memory_backing={"locked": True}),
            "memory: its memory is locked (memory_backing.locked), and QEMU plugs none then",
            "Leave out memory_max, or declare it as much as memory.",
        ),
    ],
)
def test_what_cannot_be_is_refused(model: Model, wanted: Vm, what: str, remedy: str) -> None:
    (refusal,) = model.call(wanted).refusals
    assert (refusal.what, refusal.remedy) == (what, remedy)


def test_what_was_divided_by_hand_gets_no_room() -> None:
    model = Model.fresh()
    model.converge(replace(WEB, further={}))
    guest = model.guest("web")[1]
    cells = "".join(f'<cell id="{number}" cpus="{number}" memory="262144" unit="KiB"/>' for number in (0, 1))
    guest.xml = guest.xml.replace("</cpu>", f"<numa>{cells}</numa></cpu>")
    (refusal,) = model.call(call(memory_max=1024)).refusals
    assert "divides its memory among NUMA cells or modules" in refusal.what


def test_room_made_by_hand_stays_as_it_is() -> None:
    """For modules, say, which a person is about to plug."""
    model = Model.fresh()
    model.converge(replace(WEB, further={}))
    guest = model.guest("web")[1]
    guest.xml = guest.xml.replace("<memory ", '<maxMemory slots="16" unit="MiB">8192</maxMemory><memory ', 1)
    model.apply(model.call(call(768)))
    assert '<maxMemory slots="16" unit="MiB">8192</maxMemory>' in guest.xml
    assert "virtio-mem" not in guest.xml
    model.apply(model.call(call(memory_max=1024)))
    assert shape(model) == Plugged(768, 768, 768, 1024)


def test_a_node_without_room_refuses_growth() -> None:
    model = Model.fresh()
    model.converge(replace(WEB, further={"memory_max": 16384}))
    (refusal,) = model.call(call(12288)).refusals
    assert "node1 has no room for it" in refusal.what


def test_a_foreign_one_counts_for_what_it_has() -> None:
    target = '<size unit="KiB">524288</size><requested unit="KiB">65536</requested><current unit="KiB">131072</current>'
    xml = (
        '<domain><memory unit="KiB">1048576</memory><cpu><numa><cell id="0" memory="524288"/></numa></cpu><devices>'
        f'<memory model="virtio-mem"><target>{target}</target></memory></devices></domain>'
    )
    assert size_of_foreign(xml).memory == 640


@pytest.mark.parametrize(
    ("memory", "further", "told"),
    [
        (2048, {"memory_max": 1024}, "is 1024 MiB, and memory is 2048 MiB; write at least as much, or leave it out"),
        (512, {"memory_max": 1000}, f"is 1000 MiB, and memory is 512 MiB. {EVEN}"),
        (513, {"memory_max": 1024}, f"is 1024 MiB, and memory is 513 MiB. {EVEN}"),
        (64, {"memory_max": 1024}, f"is 1024 MiB, and memory is 64 MiB. {EVEN}"),
        (
            512,
            {"memory_max": 1024, "memory_backing": {"locked": True}},
            "memory that is locked cannot be plugged (memory_backing.locked); leave out one",
        ),
    ],
)
def test_the_document_is_told(memory: int, further: dict[str, Any], told: str) -> None:
    (mistake,) = find_mistakes_within(replace(WEB, memory=memory, further=further), "vms[0]")
    assert str(mistake) == f"vms[0].memory_max: {told}"


def test_a_new_one_is_held_to_what_it_gets_without_saying_it() -> None:
    model = Model.fresh()
    (refusal,) = model.plan(replace(WEB, name="db", memory=None, further={"memory_max": 256})).refusals
    assert refusal.what == "memory_max: is 256 MiB, and memory is 512 MiB; write at least as much, or leave it out"
    assert model.plan(replace(WEB, name="db", memory=None, further={"memory_max": 512})).refusals == ()
