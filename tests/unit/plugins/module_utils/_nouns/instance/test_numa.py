# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NUMA cells: what adds up is written, and comes at the next start; what does not is refused with its numbers."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance import walk
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.abilities import (
    find_lacking,
    parse_abilities,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import (
    Vm,
    find_mistakes_within,
    parse_vm,
)
from instance_model import Model, acts, whole


def cell(vcpus: tuple[int, ...], memory: int, node: int | None = None) -> dict[str, Any]:
    return {"vcpus": vcpus, "memory": memory, "node": node}


TWO = (cell((0, 1), 512), cell((2, 3), 256))
WEB = whole(name="web", node="node1", memory=768, vcpus=4, further={"numa": TWO})


def call(memory: int | None = None, **further: Any) -> Vm:
    return Vm(name="web", memory=memory, further=further)


@pytest.fixture
def model() -> Model:
    model = Model.fresh()
    model.converge(WEB)
    assert model.call(WEB).is_empty
    return model


def do(model: Model, wanted: Vm) -> None:
    plan = model.call(wanted)
    assert plan.refusals == ()
    model.apply(plan)
    assert model.call(wanted).is_empty


def cells(model: Model) -> list[dict[str, str]]:
    return [one.attrib for one in ET.fromstring(model.guest("web")[1].xml).iterfind("cpu/numa/cell")]


def test_they_are_written_and_read_back(model: Model) -> None:
    assert cells(model) == [
        {"id": "0", "cpus": "0-1", "memory": "524288", "unit": "KiB"},
        {"id": "1", "cpus": "2-3", "memory": "262144", "unit": "KiB"},
    ]
    assert model.guest("web")[1].config.further["numa"] == TWO


def test_the_order_of_numbers_is_no_difference(model: Model) -> None:
    assert model.call(call(numa=(cell((1, 0), 512), cell((3, 2), 256)))).is_empty


def test_they_change_at_the_next_start(model: Model) -> None:
    wanted = call(1024, numa=(cell((0, 2), 512), cell((1, 3), 512)))
    plan = model.call(wanted)
    assert plan.refusals == ()
    assert acts(plan) == ["register", "define"]
    model.apply(plan)
    (work,) = model.call(wanted).works
    assert [(one.field, one.before, one.after) for one in work.pending] == [
        ("memory", 768, 1024),
        (
            "numa",
            ("vcpus 0, 1; memory 512", "vcpus 2, 3; memory 256"),
            ("vcpus 0, 2; memory 512", "vcpus 1, 3; memory 512"),
        ),
    ]
    assert [one["cpus"] for one in cells(model)] == ["0,2", "1,3"]


def test_what_a_hand_has_said_of_cells_stays(model: Model) -> None:
    guest = model.guest("web")[1]
    distance = "<distances><sibling id='1' value='21'/></distances>"
    guest.xml = re.sub(r'(<cell id="0"[^>]*?) ?/>', rf'\1 memAccess="shared">{distance}</cell>', guest.xml)
    assert "distances" in guest.xml
    model.apply(model.call(call(numa=(cell((0, 1), 256), cell((2, 3), 512)))))
    (one, two) = ET.fromstring(guest.xml).iterfind("cpu/numa/cell")
    assert (one.get("memAccess"), one.get("memory"), len(one), len(two)) == ("shared", "262144", 1, 0)


def test_they_are_taken_away(model: Model) -> None:
    do(model, call(numa=()))
    assert "numa" not in model.guest("web")[1].xml
    assert model.guest("web")[1].config.memory == 768
    do(model, call(512))


def test_a_node_of_the_host_is_asked_for(model: Model) -> None:
    pinned = call(numa=(cell((0, 1), 512, 0), cell((2, 3), 256)))
    do(model, pinned)
    assert model.call(pinned).is_empty
    root = ET.fromstring(model.guest("web")[1].xml)
    assert [one.attrib for one in root.iterfind("numatune/memnode")] == [
        {"cellid": "0", "mode": "strict", "nodeset": "0"}
    ]
    do(model, call(numa=TWO))
    assert ET.fromstring(model.guest("web")[1].xml).find("numatune") is None
    host = "<capabilities><host><topology><cells num='1'><cell id='0'/></cells></topology></host></capabilities>"
    able = parse_abilities("<domainCapabilities/>", host, 4)
    for node, lacking in ((0, []), (1, ["it has no NUMA node 1"])):
        assert find_lacking(walk.list_needs({"numa": (cell((0,), 512, node),)}), able) == lacking


def test_room_for_memory_makes_way_for_cells() -> None:
    """Also where all that there was room for is in use, or where a hand made room that nothing has."""
    wanted = call(768, memory_max=768, numa=TWO)
    for memory, further in ((512, {"memory_max": 1024}), (1024, {"memory_max": 1024})):
        model = Model.fresh()
        model.converge(replace(WEB, memory=512, further={"memory_max": 1024}))
        model.converge(replace(WEB, memory=memory, further=further))
        model.converge(replace(WEB, memory=768, further={"memory_max": 768}))
        do(model, wanted)
        assert "maxMemory" not in model.guest("web")[1].xml
    model = Model.fresh()
    model.converge(replace(WEB, memory=512, further={"memory_max": 1024}))
    do(model, wanted)
    model = Model.fresh()
    model.converge(replace(WEB, further={}))
    guest = model.guest("web")[1]
    room = '<maxMemory slots="16" unit="KiB">8388608</maxMemory><memory '
    one = '<numa><cell id="0" cpus="0-3" memory="786432" unit="KiB"/></numa></cpu>'
    guest.xml = guest.xml.replace("<memory ", room, 1).replace("</cpu>", one)
    do(model, call(numa=TWO))
    assert "maxMemory" not in guest.xml


@pytest.mark.parametrize("node", [None, 0])
def test_the_only_cell_of_one_with_room_is_that_rooms(node: int | None) -> None:
    """It would be declared again and again."""
    model = Model.fresh()
    model.converge(replace(WEB, memory=512, further={"memory_max": 1024}))
    (refusal,) = model.call(call(numa=(cell((0, 1, 2, 3), 512, node),))).refusals
    assert refusal.what.startswith("numa: it would be None, declared ('vcpus 0, 1, 2, 3; memory 512")
    assert refusal.remedy.startswith("It does not go together with what else its definition says")
    (refusal,) = model.call(call(numa=(cell((0, 1), 256), cell((2, 3), 256)))).refusals
    assert "it has room for more memory (memory_max)" in refusal.what
    do(model, call(memory_max=512, numa=(cell((0, 1, 2, 3), 512, node),)))


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        (
            call(numa=(cell((0, 1), 512), cell((1, 2, 3), 256))),
            "numa: virtual CPU 1 is in two cells",
        ),
        (
            call(numa=(cell((0, 1), 512), cell((2,), 256))),
            "numa: its cells hold the virtual CPUs 0, 1, 2, and it can have 4",
        ),
        (
            call(numa=(cell((0, 1), 512), cell((2, 3), 512))),
            "numa: its cells have 1024 MiB together, and it is to have 768 MiB",
        ),
        (
            call(1024),
            "memory: its definition divides its memory of 768 MiB among 2 NUMA cells",
        ),
        (
            call(vcpus_max=8),
            "numa: its cells hold the virtual CPUs 0, 1, 2, 3, and it can have 8",
        ),
        (
            call(memory_max=1024),
            "memory: its definition divides its memory among NUMA cells or modules (DIMM), so none can be plugged",
        ),
    ],
)
def test_what_does_not_add_up_is_refused(model: Model, wanted: Vm, what: str) -> None:
    (refusal,) = model.call(wanted).refusals
    assert refusal.what.startswith(what), refusal.what


def test_the_document_is_told() -> None:
    for numa, memory, further, told in (
        (
            TWO,
            1024,
            {},
            "its cells have 768 MiB together, and it is to have 1024 MiB. Divide 1024 MiB among them, or set ",
        ),
        (TWO[:1], 512, {}, "its cells hold the virtual CPUs 0, 1, and it can have 4. Divide 0 to 3 among them."),
        (TWO, 768, {"memory_max": 1024}, "cannot be together with memory_max, for which a guest has one cell"),
    ):
        (mistake,) = find_mistakes_within(replace(WEB, memory=memory, further={"numa": numa, **further}), "vms[0]")
        assert str(mistake).startswith(f"vms[0].numa: {told}"), str(mistake)
    _, mistakes = parse_vm({"name": "web", "numa": [{"vcpus": [0]}]}, "")
    assert [one.path for one in mistakes] == ["numa[0].memory"]


def test_how_a_hand_has_tied_a_cell_to_a_node_stays() -> None:
    xml = (
        "<domain><vcpu>4</vcpu><memory unit='KiB'>786432</memory>"
        "<numatune><memory mode='preferred' nodeset='0'/><memnode cellid='0' mode='preferred' nodeset='0'/>"
        "<memnode cellid='1' mode='interleave' nodeset='1'/></numatune>"
        "<cpu><numa><cell id='0' cpus='0-1' memory='524288' unit='KiB'/>"
        "<cell id='1' cpus='2-3' memory='262144' unit='KiB'/></numa></cpu></domain>"
    )
    root = ET.fromstring(xml)
    walk.edit(root, {"numa": (cell((0, 2), 512, 0), cell((1, 3), 256, 0))})
    assert [one.attrib for one in root.iterfind("numatune/memnode")] == [
        {"cellid": "0", "mode": "preferred", "nodeset": "0"},
        {"cellid": "1", "mode": "strict", "nodeset": "0"},
    ]
    walk.edit(root, {"numa": (cell((0, 2), 512), cell((1, 3), 256))})
    assert root.find("numatune/memnode") is None
    assert root.find("numatune/memory") is not None
