# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The topology holds exactly the vCPUs that there are."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm, find_mistakes_within
from instance_model import Model, acts, whole

TOPOLOGY = {"cpu": {"topology": {"sockets": 1, "cores": 2, "threads": 2}}}
WEB = whole(name="web", node="node1", vcpus=4, further=TOPOLOGY)


def test_a_new_instance_has_it() -> None:
    model = Model.fresh()
    model.converge(WEB)
    assert '<topology sockets="1" cores="2" threads="2"' in model.guest("web")[1].xml
    assert model.plan(WEB).is_empty


def test_it_waits_for_the_next_start() -> None:
    model = Model.fresh()
    model.converge(replace(WEB, further={}))
    plan = model.call(Vm(name="web", further=TOPOLOGY))
    assert acts(plan) == ["define"]
    (work,) = plan.works
    assert [(one.field, one.before, one.after, one.when) for one in work.pending] == [
        ("cpu.topology.sockets", None, 1, "next_boot"),
        ("cpu.topology.cores", None, 2, "next_boot"),
        ("cpu.topology.threads", None, 2, "next_boot"),
    ]
    model.apply(plan)
    plan = model.call(Vm(name="web", further=TOPOLOGY), allow_restart=True, force_stop=True)
    assert [act for act in acts(plan) if act not in ("register", "settle")] == ["stop", "start"]
    model.apply(plan)
    assert model.call(Vm(name="web", further=TOPOLOGY)).is_empty


def test_it_must_agree_with_the_vcpus() -> None:
    (mistake,) = find_mistakes_within(replace(WEB, vcpus=2), "vms[0]")
    assert str(mistake) == "vms[0].cpu.topology: it holds 4 vCPUs, and vcpus is 2; they must agree"
    model = Model.fresh()
    model.converge(WEB)
    (refusal,) = model.call(Vm(name="web", vcpus=8)).refusals
    assert refusal.what == "cpu.topology: 1 sockets of 2 cores with 2 threads hold 4 vCPUs, and it has 8"
    assert refusal.remedy == "Set vcpus: 4, or a topology that holds 8."
    assert model.call(Vm(name="web", vcpus=2)).refusals == (), "fewer can be in use"
