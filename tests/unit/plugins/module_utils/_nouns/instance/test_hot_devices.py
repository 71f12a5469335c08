# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What plugs comes, changes and goes while the guest runs; everything else waits for its next start."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.report import describe_instance
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from instance_model import Model, acts, whole

WEB = whole(name="web", node="node1")


def sources(model: Model) -> list[str]:
    guest = model.guest("web")[1]
    return [" ".join(re.findall(r"<rng.*?</rng>", text or "")) for text in (guest.xml, guest.live_xml)]


def call(**rng: Any) -> Vm:
    return Vm(name="web", further={"rng": rng})


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
