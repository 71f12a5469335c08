# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual CPUs are plugged in as far as there is room for them; everything else waits for the next start."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm, find_mistakes_within
from instance_model import Model, acts, whole

WEB = whole(name="web", node="node1", vcpus=1, further={"vcpus_max": 3})


@pytest.fixture
def model() -> Model:
    model = Model.fresh()
    model.converge(WEB)
    assert '<vcpu current="1">3</vcpu>' in model.guest("web")[1].xml
    return model


def test_more_are_plugged_in(model: Model) -> None:
    plan = model.call(Vm(name="web", vcpus=3))
    assert acts(plan) == ["define", "plug"]
    (work,) = plan.works
    assert [(one.field, one.before, one.after, one.when) for one in work.changes] == [("vcpus", 1, 3, "hot_plug")]
    model.apply(plan)
    assert model.call(Vm(name="web", vcpus=3)).is_empty


def test_a_killed_run_is_caught_up_with(model: Model) -> None:
    """The definition was written, and nothing was plugged."""
    guest = model.guest("web")[1]
    guest.xml = guest.xml.replace('<vcpu current="1">3</vcpu>', "<vcpu>3</vcpu>")
    plan = model.call(Vm(name="web", vcpus=3))
    assert acts(plan) == ["plug"]
    model.apply(plan)
    assert model.call(Vm(name="web", vcpus=3)).is_empty


def test_fewer_wait_for_the_next_start(model: Model) -> None:
    model.apply(model.call(Vm(name="web", vcpus=2)))
    plan = model.call(Vm(name="web", vcpus=1))
    assert acts(plan) == ["define"]
    (work,) = plan.works
    assert [(one.field, one.before, one.after, one.when) for one in work.pending] == [("vcpus", 2, 1, "next_boot")]


def test_more_than_there_is_room_for_are_refused(model: Model) -> None:
    (refusal,) = model.call(Vm(name="web", vcpus=4)).refusals
    assert refusal.what == "vcpus_max: it can have 3 virtual CPUs, and is to have 4"
    assert refusal.remedy == "Set vcpus_max: 4 as well, or at most 3 vcpus."
    (work,) = model.call(Vm(name="web", vcpus=4, further={"vcpus_max": 4})).works
    assert {one.field for one in work.pending} == {"vcpus", "vcpus_max"}
    assert model.call(Vm(name="web", further={"vcpus_max": 1})).refusals == (), "as many as it has"


def test_the_document_is_told() -> None:
    (mistake,) = find_mistakes_within(replace(WEB, vcpus=8), "vms[0]")
    assert str(mistake) == "vms[0].vcpus_max: is 3, and vcpus is 8; write at least as many, or leave it out"
