# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual CPUs are pinned one by one: at once where they are there, and without a word on those of others."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance import walk
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.abilities import needs_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import (
    Vm,
    find_mistakes_within,
    parse_vm,
)
from instance_model import Model, acts, whole

NAME = "pinning.each_vcpu"


def pins(*each: tuple[int, tuple[int, ...]]) -> dict[str, Any]:
    return {"pinning": {"each_vcpu": tuple({"vcpu": number, "threads": threads} for number, threads in each)}}


def call(*each: tuple[int, tuple[int, ...]], **more: Any) -> Vm:
    return Vm(name="web", further=pins(*each), **more)


def written(root: Any) -> dict[str, str]:
    return {one.get("vcpu"): one.get("cpuset") for one in root.iterfind("cputune/vcpupin")}


@pytest.fixture
def model() -> Model:
    model = Model.fresh()
    model.converge(whole(name="web", node="node1", vcpus=2, further={"vcpus_max": 4}))
    return model


@pytest.mark.parametrize(
    ("before", "wanted", "there"),
    [
        ("", pins((1, (3,)), (0, (0, 1, 2))), {"0": "0-2", "1": "3"}),
        ('<vcpupin vcpu="0" cpuset="0,1"/>', pins((0, (1, 0))), {"0": "0,1"}),
        ('<vcpupin vcpu="0" cpuset="1-4,^2"/>', pins((0, (1, 3, 4)), (1, (2,))), {"0": "1-4,^2", "1": "2"}),
        ('<vcpupin vcpu="0" cpuset="0"/><vcpupin vcpu="3" cpuset="1"/>', pins((3, (2,))), {"3": "2"}),
        ('<vcpupin vcpu="0" cpuset="0"/>', pins(), {}),
    ],
)
def test_what_is_the_same_stays_as_it_is_written(before: str, wanted: Any, there: dict[str, str]) -> None:
    root = ET.fromstring(f"<domain><cputune>{before}<shares>5</shares></cputune></domain>")
    walk.edit(root, wanted)
    assert written(root) == there
    assert root.findtext("cputune/shares") == "5"


def test_nothing_empty_is_left() -> None:
    root = ET.fromstring("<domain/>")
    walk.edit(root, pins((0, (1,))))
    walk.edit(root, pins())
    assert ET.tostring(root) == b"<domain />"


def test_they_are_read_in_order_and_compared_in_none() -> None:
    root = ET.fromstring(
        '<domain><cputune><vcpupin vcpu="10" cpuset="1"/><vcpupin vcpu="2" cpuset="0,1"/></cputune></domain>'
    )
    have = walk.read(root)
    assert have["pinning"] == pins((2, (0, 1)), (10, (1,)))["pinning"]
    for wanted, differs in (
        (pins((10, (1,)), (2, (1, 0))), False),
        (pins((2, (1, 0))), True),
        (pins((10, (1,)), (2, (1,))), True),
        (pins(), True),
    ):
        assert bool(walk.compare(have, None, wanted, lambda: None).changes) is differs


def test_a_running_one_is_pinned_at_once(model: Model) -> None:
    plan = model.call(call((1, (0,)), (0, (1,))))
    assert acts(plan) == ["define", "plug"]
    (work,) = plan.works
    assert [(one.field, one.before, one.after, one.when) for one in work.changes] == [
        (NAME, None, ("vcpu 1; threads 0", "vcpu 0; threads 1"), "live")
    ]
    assert work.pending == ()
    assert "pin the virtual CPUs 0, 1" in [step.text for step in work.steps]
    model.apply(plan)
    for text in (model.guest("web")[1].xml, model.guest("web")[1].live_xml):
        assert written(ET.fromstring(text or "")) == {"0": "1", "1": "0"}
    assert model.call(call((0, (1,)), (1, (0,)))).is_empty


def test_only_what_differs_is_pinned(model: Model) -> None:
    model.apply(model.call(call((0, (1,)), (1, (0,)))))
    (work,) = model.call(call((0, (1,)), (1, (0, 1)))).works
    assert "pin the virtual CPUs 1" in [step.text for step in work.steps]


def test_a_killed_run_is_caught_up_with(model: Model) -> None:
    """The definition was written, and nothing was pinned."""
    guest = model.guest("web")[1]
    guest.xml = guest.xml.replace("</vcpu>", '</vcpu><cputune><vcpupin vcpu="0" cpuset="1"/></cputune>')
    plan = model.call(call((0, (1,))))
    assert acts(plan) == ["plug"]
    (work,) = plan.works
    assert [(one.before, one.after) for one in work.changes] == [(None, ("vcpu 0; threads 1",))]
    model.apply(plan)
    assert model.call(call((0, (1,)))).is_empty


def test_what_goes_and_what_is_not_plugged_wait(model: Model) -> None:
    model.apply(model.call(call((0, (1,)), (1, (0,)))))
    for wanted in (call((0, (1,))), call((0, (0,)), (1, (0,)), (3, (1,)))):
        plan = model.call(wanted)
        assert acts(plan) == ["define"]
        (work,) = plan.works
        assert [(one.field, one.when) for one in work.changes] == [(NAME, "next_boot")]
        assert [one.field for one in work.pending] == [NAME]
        model.apply(plan)
        assert acts(model.call(wanted)) == [], "it is told again, and not done again"
    model.apply(model.call(wanted, allow_restart=True, force_stop=True))
    assert model.call(wanted).is_empty


def test_what_is_plugged_in_the_same_call_is_pinned_too(model: Model) -> None:
    wanted = call((0, (0,)), (2, (1,)), vcpus=3)
    plan = model.call(wanted)
    (work,) = plan.works
    plugs = [step.text for step in work.steps if step.text.startswith(("plug", "pin"))]
    assert plugs == ["plug in virtual CPUs, up to 3", "pin the virtual CPUs 0, 2"]
    model.apply(plan)
    assert model.call(wanted).is_empty


def test_a_virtual_cpu_that_there_cannot_be_is_refused(model: Model) -> None:
    (refusal,) = model.call(call((4, (0,)))).refusals
    assert refusal.what == f"{NAME}: virtual CPU 4 is pinned, and it can have 4 of them, from 0 on"
    assert refusal.remedy == f"Set vcpus_max: 5, or leave that one out of {NAME}."
    model.apply(model.call(call((3, (0,)))))
    (refusal,) = model.call(Vm(name="web", further={"vcpus_max": 2})).refusals
    assert refusal.what == f"{NAME}: virtual CPU 3 is pinned, and it can have 2 of them, from 0 on"
    new = whole(name="new", node="node1", vcpus=2, further=pins((2, (0,))))
    (refusal,) = model.call(new).refusals
    assert refusal.what == f"{NAME}[0].vcpu: is 2, and vcpus is 2; write a number from 0 to 1"


def test_mistakes_are_told_all_at_once() -> None:
    wrong = call((0, (1,)), (0, (2,)), (4, ()), vcpus=1)
    assert [str(mistake) for mistake in find_mistakes_within(wrong, "vms[0]")] == [
        f"vms[0].{NAME}[1].vcpu: 0 is given twice; put all of its threads into one",
        f"vms[0].{NAME}[2].vcpu: is 4, and vcpus is 1; write 0",
        f"vms[0].{NAME}[2].threads: are none, and it has to run somewhere; write a thread, or leave this virtual CPU "
        "out",
    ]
    said = {"name": "web", "pinning": {"each_vcpu": [{"vcpu": 0, "threads": [1, 1]}, {"threads": [0]}]}}
    _, mistakes = parse_vm(said, "vms[0]")
    assert [one.path for one in mistakes] == [f"vms[0].{NAME}[0].threads[1]", f"vms[0].{NAME}[1].vcpu"]


def test_a_node_has_the_threads() -> None:
    needs = needs_of(call((0, (5,)), (1, (2, 5))), None)
    assert [need.lacks for need in needs] == ["no thread 2", "no thread 5"]
    has = {"pinning": {"each_vcpu": ({"vcpu": 0, "threads": "by hand"},), "vcpus": (3,)}}
    assert [need.ability for need in needs_of(Vm(name="web"), has)] == ["thread:3"]
