# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one walk over aspects and devices: of all kinds that there are, whatever is there and whatever is wanted."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields.field import Field, Table
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance import walk
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.acts import (
    AttachDevice,
    Describe,
    DetachDevice,
    PinVcpus,
    ResizeMemory,
    SetVcpus,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.aspects.host_devices import EXACT, WISHES
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.kinds import Aspect, Device
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.memory_room import memory_of, parse_most
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.size import has_room as has_room_for_vcpus
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.walk import KINDS
from hypothesis import assume, example, given
from hypothesis import strategies as st
from lxml import etree

BARE = "<domain><name>web</name><vcpu>4</vcpu><!-- kept --><devices><emulator>/bin/true</emulator></devices></domain>"
# Of the one list of mappings that there is.
NO_DEVICE = dict.fromkeys((*EXACT, *WISHES))
GIVEN: tuple[dict[str, Any], ...] = (
    {**NO_DEVICE, "name": "gpu", "pci": "0000:65:00.0"},
    {**NO_DEVICE, "name": "dongle", "usb": "046d:c52b"},
    {**NO_DEVICE, "name": "vgpu", "mdev": "c2177883-f1bb-47f0-914d-32a22e3a8804"},
)


MOUNTED = ({"name": "media", "directory": "/srv/media"}, {"name": "logs", "directory": "/srv/logs"})
PINNED = ({"vcpu": 0, "threads": (1,)}, {"vcpu": 2, "threads": (3, 0)})


def values(table: Table) -> st.SearchStrategy[dict[str, Any]]:
    """Values of a table, each option named or not."""
    return st.fixed_dictionaries({}, optional={key: value(field, key) for key, field in table.items()})


def value(field: Field, key: str) -> st.SearchStrategy[Any]:
    if field.table is not None:
        return values(field.table)
    if field.choices is not None:
        return st.sampled_from(field.choices)
    if field.kind == "bool":
        return st.booleans()
    if field.kind in ("int", "size"):
        return st.integers(field.minimum, field.maximum)
    if key == "host_devices":
        return st.sampled_from([(), GIVEN[:1], GIVEN, GIVEN[::-1]])
    if key == "each_vcpu":
        return st.sampled_from([(), PINNED[:1], PINNED, PINNED[::-1]])
    if key == "filesystems":
        return st.sampled_from([(), MOUNTED[:1], MOUNTED, MOUNTED[::-1]])
    if field.element is not None:
        return st.lists(value(field.element, key), max_size=3, unique=True).map(tuple)
    # One word stands in one list: a feature is required, or disabled.
    return st.text("abc", max_size=5).map(lambda text: f"{key}-{text}")


def has_room(root: Any) -> bool:
    return has_room_for_vcpus(root) and memory_of(root) <= parse_most(root)


def compare(config: Any, live: Any | None, wanted: dict[str, Any]) -> walk.Walked:
    """Compare definitions, as they are read."""
    runs = walk.read(live) if live is not None else None
    return walk.compare(walk.read(config), runs, wanted, lambda: live)


# What has to add up with others is in a test of its own: test_numa.py.
WANTED = values({kind.option: kind.field for kind in KINDS if kind.option != "numa"})
# Room that is as much as there is cannot be told from none in a definition, and goes along with what there is.
ROOM = {"vcpus_max": "vcpus", "memory_max": "memory"}
EXPANDED = ("cpu.model", "cpu.require", "cpu.disable")


@example({"vcpus": 2, "vcpus_max": 2}, {"vcpus": 1})
@example({"vcpus_max": 4}, {"vcpus": 5})
@example({"memory": 512, "memory_max": 512}, {"memory": 256})
@example({"memory_backing": {"access": "private"}}, {"filesystems": MOUNTED})
@given(WANTED, WANTED)
def test_an_edit_ends_at_what_is_wanted_and_keeps_the_rest(before: dict[str, Any], after: dict[str, Any]) -> None:
    root = etree.fromstring(BARE)
    walk.edit(root, before)
    first = walk.read(root)
    goes_along = {most for most, now in ROOM.items() if now in after and first.get(most) == first.get(now)}
    if after.get("filesystems"):
        goes_along.add("memory_backing")  # which is then shared
    walk.edit(root, after)
    assume(has_room(root))
    once = etree.tostring(root)
    assert compare(root, None, after).changes == ()
    walk.edit(root, after)
    assert etree.tostring(root) == once
    for option, wanted in before.items():
        # What the second edit does not name is as the first one left it.
        if option not in after and option not in goes_along:
            assert compare(root, None, {option: wanted}).changes == ()
    assert b"<!-- kept -->" in once
    assert b"<emulator>/bin/true</emulator>" in once


@given(WANTED, WANTED)
def test_a_running_guest_ends_at_it_too_or_waits(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Whatever plugs is plugged; what is left is what the plan says is waited for."""
    config, live = ET.fromstring(BARE), ET.fromstring(BARE)
    walk.edit(config, before)
    walk.edit(live, before)
    walked = compare(config, live, after)
    walk.edit(config, after)
    assume(has_room(live) and has_room(config))
    devices = live.find("devices")
    assert devices is not None
    for act in walked.acts:
        if isinstance(act, Describe):
            walk.edit(live, {"description": act.description or ""})
            continue
        if isinstance(act, SetVcpus):
            walk.edit(live, {"vcpus": act.vcpus})
            continue
        if isinstance(act, PinVcpus):
            pins = (walk.read(live).get("pinning") or {}).get("each_vcpu", ())
            pinned = {**{one["vcpu"]: one["threads"] for one in pins}, **dict(act.pins)}
            each = tuple({"vcpu": number, "threads": threads} for number, threads in pinned.items())
            walk.edit(live, {"pinning": {"each_vcpu": each}})
            continue
        if isinstance(act, ResizeMemory):
            walk.edit(live, {"memory": act.memory})
            continue
        there = [one for one in devices if one.tag == act.element.tag]
        if not isinstance(act, AttachDevice):
            same = [one for one in there if ET.tostring(one) == ET.tostring(act.element)]
            devices.remove((same or there)[0])
        if not isinstance(act, DetachDevice):
            devices.append(act.element)
    left = compare(config, live, after)
    assert (left.changes, left.drift, left.acts) == ((), (), ())
    # Of what a running guest's definition says in other words it is told only when it changes.
    assert left.pending == tuple(change for change in walked.pending if change.field not in EXPANDED)


@given(WANTED)
def test_nothing_named_is_nothing_to_do(before: dict[str, Any]) -> None:
    root = ET.fromstring(BARE)
    walk.edit(root, before)
    text = ET.tostring(root)
    assert compare(root, root, {}) == walk.Walked()
    walk.edit(root, {})
    assert ET.tostring(root) == text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.option)
def test_what_is_written_is_read_back(kind: Aspect | Device) -> None:
    root = ET.fromstring(BARE)
    wanted = {kind.option: first(kind.field)}
    assert walk.read(root).get(kind.option) != wanted[kind.option]
    walk.edit(root, wanted)
    assert walk.read(root)[kind.option] == wanted[kind.option]
    assert [path for path, _ in walk.list_values(wanted)]


def first(field: Field, key: str = "a") -> Any:
    if field.table is not None:
        return {key: first(inner, key) for key, inner in field.table.items()}
    if field.choices:
        return field.choices[0]
    if field.element is not None and "pci" in (field.element.table or ()):
        return GIVEN
    if field.element is not None:
        return (first(field.element, key),)
    return {"bool": True, "str": key}.get(field.kind, field.minimum or field.maximum)


def test_of_what_could_not_be_understood_nothing_more_is_told() -> None:
    """It is a mistake already, and what looks at parts together has no value to look at."""
    assert walk.find_mistakes({"memory": 512, "numa": ({"vcpus": (0,), "memory": None, "node": None},)}) == []
    assert walk.find_mistakes({"memory": 512, "numa": ({"vcpus": None, "memory": 512, "node": None},)}) == []
    cell = {"vcpus": (0,), "memory": 256, "node": None}
    assert [path for path, _ in walk.find_mistakes({"memory": 512, "numa": (cell,)})] == ["numa"]
