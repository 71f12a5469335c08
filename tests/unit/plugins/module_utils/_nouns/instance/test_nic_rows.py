# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a NIC is: its link and limits change while it runs, the rest at its next start, and nothing unnamed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Nic
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm, find_mistakes_within
from instance_model import Model, acts, whole

WEB = whole(name="web", node="node1", nics=(Nic(port_group="Production"),))


def call(**further: Any) -> Vm:
    return Vm(name="web", nics=(Nic(name="nic0", further=further),))


@pytest.fixture
def model() -> Model:
    model = Model.fresh()
    model.converge(WEB)
    return model


def rows(model: Model) -> tuple[Any, Any]:
    """Return what its NIC is by its definition, and as it runs."""
    guest = model.guest("web")[1]
    assert guest.live is not None
    return guest.config.interfaces[0].further, guest.live.interfaces[0].further


@pytest.mark.parametrize(
    ("further", "done", "pending"),
    [
        ({"link": False}, ["define", "update_nic"], []),
        ({"limits": {"bandwidth_in": 10}}, ["define", "update_nic"], []),
        ({"mtu": 1400}, ["define"], ["nics.nic0.mtu"]),
        ({"model": "e1000e", "link": False}, ["define", "update_nic"], ["nics.nic0.model"]),
        ({"link": True, "model": "virtio", "limits": {"bandwidth_in": 0}}, [], []),
    ],
)
def test_a_row_changes_alone(model: Model, further: dict[str, Any], done: list[str], pending: list[str]) -> None:
    before, _ = rows(model)
    plan = model.call(call(**further))
    assert acts(plan) == done
    assert [change.field for work in plan.works for change in work.pending] == pending
    model.apply(plan)
    after, runs = rows(model)
    assert {key: value for key, value in after.items() if key not in further} == {
        key: value for key, value in before.items() if key not in further
    }
    assert all(runs.get("link") == value for key, value in further.items() if key == "link")
    again = model.call(call(**further))
    assert acts(again) == []
    assert [change.field for work in again.works for change in work.pending] == pending


def test_a_new_nic_has_them() -> None:
    model = Model.fresh()
    nic = Nic(port_group="Production", further={"model": "e1000e", "limits": {"bandwidth_out": 5, "burst_out": 1}})
    model.converge(replace(WEB, nics=(nic,)))
    xml = model.guest("web")[1].xml
    assert '<model type="e1000e"' in xml
    assert '<outbound average="5120" burst="1024"' in xml
    assert "<inbound" not in xml


@pytest.mark.parametrize(
    ("further", "mistake"),
    [
        ({"limits": {"burst_in": 1}}, "limits.burst_in: is beyond bandwidth_in; write that as well, or leave it out"),
        ({"queues": 4, "model": "e1000e"}, "queues: are of the model virtio, and it is e1000e; leave them out"),
    ],
)
def test_what_cannot_be_is_told(further: dict[str, Any], mistake: str) -> None:
    (found,) = find_mistakes_within(replace(WEB, nics=(Nic(port_group="Production", further=further),)), "vms[0]")
    assert str(found) == f"vms[0].nics[0].{mistake}"
