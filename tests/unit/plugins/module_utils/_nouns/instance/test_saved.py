# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance that is saved: it goes on with what it had, so that nothing of it is changed meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import CloudInit, Root, Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.report import describe_instance
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from instance_model import Model, acts, whole

WEB = whole(name="web", image="tiny", memory=256, root=Root(pool="shared", size=1024), node="node1", power="running")


@pytest.fixture
def model() -> Model:
    """What `virsh managedsave` leaves."""
    model = Model.fresh()
    model.converge(WEB)
    _, guest = model.guest("web")
    guest.saved, guest.live, guest.live_xml, guest.power = guest.live, None, None, "stopped"
    return model


@pytest.mark.parametrize(("power", "text"), [("running", "start"), ("paused", "start paused")])
def test_it_goes_on_when_it_is_to_run(model: Model, power: str, text: str) -> None:
    plan = model.call(Vm(name="web", power=power))
    starts = [step for work in plan.all for step in work.steps if step.act == "start"]
    assert [step.text for step in starts] == [f"{text} from what was saved"]
    assert starts[0].does.saved
    model.apply(plan)
    assert (model.guest("web")[1].power, model.guest("web")[1].saved) == (power, None)
    assert model.call(Vm(name="web", power=power)).is_empty


def test_it_stays_saved_where_nothing_is_to_be_done(model: Model) -> None:
    assert model.call(Vm(name="web")).is_empty
    assert model.call(Vm(name="web", power="stopped")).is_empty
    assert acts(model.call(Vm(name="web", autostart=False))) == ["autostart"]
    domain = model.have.domains[next(iter(model.have.domains))][0]
    assert describe_instance(next(iter(model.rows.values())), domain, {}, {})["saved"] is True


@pytest.mark.parametrize(
    ("want", "field"),
    [
        (Vm(name="web", memory=512), "memory"),
        (Vm(name="web", memory=512, power="running"), "memory"),
        (Vm(name="web", root=Root(size=2048)), "root.size"),
        (Vm(name="web", volumes=(Volume(name="data", pool="shared", size=64),)), "volumes.data"),
        (Vm(name="web", node="node2"), "node"),
    ],
)
def test_what_it_would_not_have_is_refused(model: Model, want: Vm, field: str) -> None:
    plan = model.call(want, allow_restart=True, force_stop=True)
    assert plan.is_empty
    (refusal,) = plan.refusals
    assert refusal.what.startswith("it is saved, and would go on as it was saved, without the change of")
    assert field in refusal.what
    assert "discard_saved" in refusal.remedy


def test_what_is_only_said_of_it_changes(model: Model) -> None:
    plan = model.call(Vm(name="web", tags=("a",), flavor="small"))
    assert {change.field for work in plan.works for change in work.changes} == {"tags", "flavor"}
    model.apply(plan)
    assert model.call(Vm(name="web", tags=("a",), flavor="small")).is_empty
    assert model.guest("web")[1].saved is not None
    model.apply(model.call(Vm(name="web", power="running")))
    assert model.guest("web")[1].power == "running"


def test_the_seed_that_it_goes_on_with_stays() -> None:
    """It was saved while it ran with an older one than its definition names."""
    model = Model.fresh()
    model.converge(WEB)
    seeds = {name for name in model.volumes("node1", "shared") if ".seed-" in name}
    model.converge(replace(WEB, cloud_init=CloudInit(hostname="other", users=())))
    _, guest = model.guest("web")
    guest.saved, guest.live, guest.live_xml, guest.power = guest.live, None, None, "stopped"
    assert model.call(Vm(name="web")).is_empty
    assert seeds < {name for name in model.volumes("node1", "shared") if ".seed-" in name}


def test_its_memory_is_lost_with_consent_only(model: Model) -> None:
    (refusal,) = model.call(Vm(name="web", state="absent")).refusals
    assert refusal.what == "it is saved, and what was saved of its memory would be lost"
    assert "undefine" in acts(model.call(Vm(name="web", state="absent"), force_stop=True))
