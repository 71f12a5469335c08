# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What plugs comes, changes and goes while the guest runs; everything else waits for its next start."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance import walk
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import parse_domain
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.planning import plan_vms
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import Consent
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.report import describe_instance
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import (
    Vm,
    find_mistakes_within,
    parse_vm,
)
from instance_model import Model, acts, whole

WEB = whole(name="web", node="node1")


def sources(model: Model, device: str = "rng") -> list[str]:
    guest = model.guest("web")[1]
    return [" ".join(re.findall(rf"<{device}.*?</{device}>", text or "")) for text in (guest.xml, guest.live_xml)]


def call(device: str = "rng", **values: Any) -> Vm:
    return Vm(name="web", further={device: values})


def test_it_comes_changes_and_goes() -> None:
    model = Model.fresh()
    model.converge(WEB)
    for wanted, done, there in (
        (call(source="random"), ["define", "plug", "plug"], ">/dev/random<"),
        (call(source="random"), [], ">/dev/random<"),
        (call(model="none"), ["define", "plug"], ""),
        (call(model="none"), [], ""),
        (call(rate_bytes=1024), ["define", "plug"], '<rate bytes="1024"'),
    ):
        plan = model.call(wanted)
        assert acts(plan) == done
        model.apply(plan)
        for found in sources(model):
            assert there in found if there else found == ""


def test_what_waits_for_a_restart_waits_until_there_is_one() -> None:
    """Also where the call says no more of a device than that it is to be there."""
    model = Model.fresh()
    model.converge(WEB)
    plan = model.call(call("tpm"))
    assert acts(plan) == ["define"]
    model.apply(plan)
    plan = model.call(call("tpm"))
    assert [(one.field, one.after) for one in plan.works[0].pending] == [("tpm.model", "tpm-crb")]
    model.apply(model.call(call("tpm"), allow_restart=True))
    assert 'model="tpm-crb"' in (model.guest("web")[1].live_xml or "")
    assert model.call(call("tpm")).works[0].pending == ()


def test_what_a_guest_lacks_it_gets_as_it_is_defined() -> None:
    model = Model.fresh()
    model.converge(WEB)
    model.apply(model.call(call(source="random", rate_bytes=1024)))
    guest = model.guest("web")[1]
    guest.live_xml = re.sub(r"<rng.*?</rng>", "", guest.live_xml or "", flags=re.DOTALL)
    guest.live = parse_domain(guest.live_xml)
    model.apply(model.call(call()))
    assert ">/dev/random<" in sources(model)[1]
    assert '<rate bytes="1024"' in sources(model)[1]


def test_a_period_is_one_of_a_rate() -> None:
    """Which one that is there may have already."""
    new = call(model="virtio", rate_period_ms=500)
    assert [one.path for one in find_mistakes_within(new, "")] == ["rng.rate_period_ms"]
    model = Model.fresh()
    model.converge(WEB)
    period = call(rate_period_ms=500)
    assert find_mistakes_within(period, "") == []
    assert "it has no rate_bytes" in str(model.call(period).refusals[0])
    model.apply(model.call(call(rate_bytes=1024)))
    plan = model.call(period)
    assert acts(plan) == ["define", "plug", "plug"]
    model.apply(plan)
    assert '<rate bytes="1024" period="500"' in sources(model)[0]


def test_a_vsock_has_a_number_of_its_own_or_of_libvirts_choice() -> None:
    model = Model.fresh()
    model.converge(WEB)
    for wanted, done, there in (
        (call("vsock"), ["define", "plug"], '<cid auto="yes"'),
        (call("vsock", cid=5), ["define", "plug", "plug"], '<cid auto="no" address="5"'),
        (call("vsock", cid=5), [], '<cid auto="no" address="5"'),
        (call("vsock", cid=0), ["define", "plug", "plug"], '<cid auto="yes"'),
        (call("vsock", model="none"), ["define", "plug"], ""),
    ):
        plan = model.call(wanted)
        assert acts(plan) == done
        model.apply(plan)
        for found in sources(model, "vsock"):
            assert there in found if there else found == ""
            assert ("address" in found) is ('address="5"' in there)


def test_a_running_vsock_tells_what_libvirt_chose() -> None:
    live = ET.fromstring(
        "<domain><devices><vsock model='virtio'><cid auto='yes' address='3'/></vsock></devices></domain>"
    )
    assert walk.read(live)["vsock"] == {"model": "virtio", "cid": 0}


def test_the_nodes_own_numbers_are_refused() -> None:
    for cid in (1, 2):
        _, mistakes = parse_vm({"name": "web", "vsock": {"cid": cid}}, "")
        assert [str(one) for one in mistakes] == [
            f"vsock.cid: {cid} is the number of the node itself; write 0, or a number from 3 on"
        ]


def test_what_does_not_plug_waits() -> None:
    model = Model.fresh()
    model.converge(WEB)
    wanted = Vm(name="web", further={"watchdog": {"action": "pause"}})
    plan = model.call(wanted)
    assert acts(plan) == ["define"]
    model.apply(plan)
    (work,) = model.call(wanted).works
    assert [(one.field, one.before, one.after) for one in work.pending] == [
        ("watchdog.model", None, "i6300esb"),
        ("watchdog.action", None, "pause"),
    ]


@pytest.mark.parametrize(
    ("action", "ours", "is_kept"),
    [
        ("reset", "", False),
        ("pause", "<watchdog model='i6300esb' action='pause'/>", False),
        # Nobody but a person has written these.
        ("none", "", True),
        ("none", "<watchdog model='i6300esb' action='pause'/>", True),
    ],
)
def test_the_watchdog_that_every_q35_has_is_none_of_ours(action: str, ours: str, is_kept: bool) -> None:
    """libvirt 11 adds it to each definition, and libvirt 9 knows none such."""
    model = Model.fresh()
    model.converge(WEB)
    guest = model.guest("web")[1]
    guest.xml = guest.xml.replace("</devices>", f"{ours}<watchdog model='itco' action='{action}'/></devices>")
    # What is already so, for each of them.
    settled = {"model": "none"} if not ours else {"action": "pause"}
    assert model.call(Vm(name="web", further={"watchdog": settled})).is_empty
    model.converge(Vm(name="web", further={"watchdog": {"action": "shutdown"}}))
    found = [(one.get("model"), one.get("action")) for one in ET.fromstring(guest.xml).iterfind("devices/watchdog")]
    assert ("i6300esb", "shutdown") in found
    assert (("itco", action) in found) is is_kept
    assert len(found) == 1 + is_kept


def test_a_new_instance_has_a_slot_for_each() -> None:
    model, other = Model.fresh(), Model.fresh()
    model.converge(WEB)
    other.converge(whole(name="web", node="node1", further={"video": {}}))
    ports = [one.guest("web")[1].xml.count("pcie-root-port") for one in (model, other)]
    assert ports[1] == ports[0] + 1


def test_it_is_told() -> None:
    model = Model.fresh()
    model.converge(WEB)

    def told() -> Any:
        have = model.have
        ((domain,),) = have.domains.values()
        (row,) = have.rows("instance", domain.config.labels.cluster)
        return describe_instance(row, domain, {}, {}).get("watchdog")

    assert told() is None
    model.converge(Vm(name="web", further={"watchdog": {"action": "pause"}}))
    assert told() == {"model": "i6300esb", "action": "pause"}


def with_cid(name: str, cid: int | None = 7, **values: Any) -> Vm:
    return Vm(name=name, further={"vsock": {"cid": cid}} if cid is not None else {}, **values)


def told(plan: Plan) -> list[str]:
    """Return the instances that nothing can be done for, as their number is another's."""
    problems = [*plan.refusals, *plan.failures]
    assert all(re.search("device vsock 7 .*is given to instance a", one.what) for one in problems)
    return [one.resource or "" for one in problems]


def test_a_number_is_one_guests_on_its_node() -> None:
    """QEMU would not start the second, after all that was made for it."""
    model = Model.fresh()
    assert told(model.call(with_cid("a", node="node1"), with_cid("b", node="node1"))) == ["instance b"]
    model.apply(model.call(with_cid("a", node="node1")))
    assert told(model.call(with_cid("b", node="node1"))) == ["instance b"]
    # One that may be anywhere goes elsewhere, and one of another number anywhere.
    model.apply(model.call(with_cid("b"), with_cid("c", 8, node="node1"), with_cid("d", None, node="node1")))
    assert model.guest("b")[0] != "node1"
    assert told(model.call(with_cid("c"))) == ["instance c"]
    assert told(model.call(with_cid("b", None, node="node1"))) == ["instance b"]
    # What it has it keeps, and what it gives back is free.
    assert model.call(with_cid("a")).is_empty
    model.apply(model.call(with_cid("a", 0)))
    model.apply(model.call(with_cid("c")))
    assert model.call(with_cid("c")).is_empty


def test_another_run_has_not_its_number() -> None:
    (claim,) = [work.claim for work in Model.fresh().call(with_cid("a", node="node1")).works]
    assert claim is not None
    have = replace(Model.fresh().have, claims=(claim,))
    assert told(plan_vms([with_cid("b", node="node1")], have, Consent())) == ["instance b"]
