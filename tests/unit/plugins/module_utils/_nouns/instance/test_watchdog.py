# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A watchdog comes, changes and goes while the guest runs."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.report import describe_instance
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from instance_model import Model, acts, whole

WEB = whole(name="web", node="node1")


def watchdogs(model: Model) -> list[str]:
    guest = model.guest("web")[1]
    return [" ".join(re.findall(r"<watchdog[^>]*>", text or "")) for text in (guest.xml, guest.live_xml)]


def call(**watchdog: Any) -> Vm:
    return Vm(name="web", further={"watchdog": watchdog})


def test_it_comes_changes_and_goes() -> None:
    model = Model.fresh()
    model.converge(WEB)
    for wanted, done, there in (
        (call(action="pause"), ["define", "plug"], 'model="i6300esb" action="pause"'),
        (call(action="pause"), [], 'model="i6300esb" action="pause"'),
        (call(action="reset"), ["define", "plug", "plug"], 'model="i6300esb" action="reset"'),
        (call(model="none"), ["define", "plug"], ""),
        (call(model="none"), [], ""),
    ):
        plan = model.call(wanted)
        assert acts(plan) == done
        model.apply(plan)
        for found in watchdogs(model):
            assert there in found if there else found == ""


def test_a_new_instance_has_a_slot_for_it() -> None:
    model, other = Model.fresh(), Model.fresh()
    model.converge(WEB)
    other.converge(whole(name="web", node="node1", further={"watchdog": {}}))
    ports = [one.guest("web")[1].xml.count("pcie-root-port") for one in (model, other)]
    assert ports[1] == ports[0] + 1
    assert 'model="i6300esb" action="reset"' in watchdogs(other)[0]


def test_it_is_told() -> None:
    model = Model.fresh()
    model.converge(WEB)

    def told() -> Any:
        have = model.have
        ((domain,),) = have.domains.values()
        (row,) = have.rows("instance", domain.config.labels.cluster)
        return describe_instance(row, domain, {}, {}).get("watchdog")

    assert told() is None
    model.converge(call(action="pause"))
    assert told() == {"model": "i6300esb", "action": "pause"}
