# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the threads of disks run: all on the same, however many there are; what a hand pinned otherwise stays."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance import walk
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.abilities import needs_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm, find_mistakes_within
from instance_model import Model, acts, whole


def pins(*pairs: tuple[int, str]) -> str:
    return "".join(f'<iothreadpin iothread="{number}" cpuset="{cpus}"/>' for number, cpus in pairs)


def domain(count: int | None, inner: str = "", ids: tuple[int, ...] = ()) -> Any:
    threads = f"<iothreads>{count}</iothreads>" if count else ""
    numbered = "".join(f'<iothread id="{number}"/>' for number in ids)
    threads += f"<iothreadids>{numbered}</iothreadids>" if ids else ""
    return ET.fromstring(f"<domain>{threads}{f'<cputune>{inner}</cputune>' if inner else ''}</domain>")


def pinned(root: Any) -> dict[str, str]:
    return {pin.get("iothread"): pin.get("cpuset") for pin in root.iterfind("cputune/iothreadpin")}


def read(root: Any) -> Any:
    return (walk.read(root).get("pinning") or {}).get("io_threads")


@pytest.mark.parametrize(
    ("root", "told"),
    [
        (domain(None), None),
        (domain(None, pins((2, "0"))), "2: 0"),
        (domain(2), None),
        (domain(2, '<emulatorpin cpuset="1"/>'), None),
        (domain(1, pins((1, "0-2"))), (0, 1, 2)),
        (domain(2, pins((2, "0-1"), (1, "1,0"))), (0, 1)),
        (domain(3, pins((1, "0"), (2, "0"), (7, "0")), ids=(2, 7)), (0,)),
        (domain(2, pins((4, "1"), (6, "1")), ids=(4, 6)), (1,)),
        (domain(2, pins((1, "0"), (2, "1"))), "1: 0; 2: 1"),
        (domain(2, pins((2, "3"))), "2: 3"),
        (domain(2, pins((1, "0"), (2, "0")), ids=(4, 6)), "1: 0; 2: 0"),
    ],
)
def test_what_a_definition_says(root: Any, told: Any) -> None:
    assert read(root) == told


@pytest.mark.parametrize(
    ("root", "wanted", "has"),
    [
        (domain(2), (0, 1, 2, 5), {"1": "0-2,5", "2": "0-2,5"}),
        (domain(2, ids=(4,)), (3,), {"1": "3", "4": "3"}),
        (domain(2, pins((1, "0"), (2, "1"))), (1,), {"1": "1", "2": "1"}),
        (domain(2, pins((1, "0,1"), (2, "1,0"))), (0, 1), {"1": "0,1", "2": "1,0"}),
        (domain(3, pins((1, "0,1"))), (0, 1), {"1": "0,1", "2": "0-1", "3": "0-1"}),
        (domain(2, pins((1, "0"), (2, "1"))), (), {}),
        (domain(2, pins((1, "0"), (2, "0"))), (), {}),
    ],
)
def test_all_run_on_the_same(root: Any, wanted: tuple[int, ...], has: dict[str, str]) -> None:
    walk.edit(root, {"pinning": {"io_threads": wanted}})
    assert pinned(root) == has
    assert (root.find("cputune") is None) == (not has)
    assert read(root) == (wanted or None)


@pytest.mark.parametrize(
    ("root", "count", "has"),
    [
        (domain(2, pins((1, "0"), (2, "0"))), 3, {"1": "0", "2": "0", "3": "0"}),
        (domain(3, pins((1, "0"), (2, "0"), (3, "0"))), 1, {"1": "0"}),
        (domain(2, pins((4, "0"), (6, "0")), ids=(4, 6)), 3, {"1": "0", "2": "0", "3": "0"}),
        (domain(2, pins((1, "0"), (2, "0"))), 0, {}),
        (domain(2, pins((1, "0"), (2, "1"))), 3, {"1": "0", "2": "1"}),
        (domain(2, pins((1, "0"))), 3, {"1": "0"}),
        (domain(2), 3, {}),
    ],
)
def test_pins_follow_the_number_of_threads(root: Any, count: int, has: dict[str, str]) -> None:
    walk.edit(root, {"io_threads": count})
    assert pinned(root) == has


def test_what_else_is_tuned_stays() -> None:
    other = '<!-- theirs --><shares>7</shares><iothreadsched iothreads="1" scheduler="batch"/>'
    root = domain(1, other + pins((1, "0")))
    walk.edit(root, {"pinning": {"io_threads": ()}})
    assert [one.tag for one in root.find("cputune")] == ["shares", "iothreadsched"]
    empty = ET.fromstring("<domain><iothreads>1</iothreads><cputune/></domain>")
    walk.edit(empty, {"io_threads": 2})
    assert empty.find("cputune") is not None, "it was there before"


@pytest.fixture
def model() -> Model:
    model = Model.fresh()
    model.converge(whole(name="web", node="node1"))
    return model


def test_an_instance_is_pinned_with_its_threads(model: Model) -> None:
    call = Vm(name="web", further={"io_threads": 2, "pinning": {"io_threads": (1,)}})
    (work,) = model.call(call).works
    assert {change.field for change in work.pending} == {"io_threads", "pinning.io_threads"}
    model.apply(model.call(call, allow_restart=True, force_stop=True))
    assert model.call(call).is_empty
    assert pinned(ET.fromstring(model.guest("web")[1].xml)) == {"1": "1", "2": "1"}
    more = Vm(name="web", further={"io_threads": 3})
    assert {change.field for work in model.call(more).works for change in work.changes} == {"io_threads"}
    model.apply(model.call(more, allow_restart=True, force_stop=True))
    assert model.call(more).is_empty
    assert pinned(ET.fromstring(model.guest("web")[1].xml)) == {"1": "1", "2": "1", "3": "1"}
    assert acts(model.call(Vm(name="web", further={"pinning": {"io_threads": (1,)}}))) == []


@pytest.mark.parametrize("name", ["web", "new"])
def test_pins_without_threads_are_refused(model: Model, name: str) -> None:
    """Of one that is there, and of a new one."""
    further = {"pinning": {"io_threads": (1,)}}
    call = Vm(name="web", further=further) if name == "web" else whole(name="new", node="node1", further=further)
    (refusal,) = model.call(call).refusals
    assert refusal.what == "its pinning.io_threads says where its io_threads run, and it has none"
    assert refusal.remedy == "Set io_threads as well, or leave out pinning.io_threads."


def test_a_document_that_says_both_is_told_at_once() -> None:
    wrong = Vm(name="web", further={"io_threads": 0, "pinning": {"io_threads": (1,)}})
    assert [str(mistake) for mistake in find_mistakes_within(wrong, "vms[0]")] == [
        "vms[0].pinning.io_threads: says where they run, and io_threads is 0; write how many, or leave it out"
    ]


def test_a_node_has_the_threads_of_the_pins() -> None:
    assert [need.ability for need in needs_of(Vm(name="web", further={"pinning": {"io_threads": (2, 5)}}), None)] == [
        "thread:2",
        "thread:5",
    ]
    has = {"pinning": {"io_threads": "1: 0; 2: 9", "vcpus": (3,)}}
    assert [need.ability for need in needs_of(Vm(name="web"), has)] == ["thread:3"], "what a hand made, libvirt took"
