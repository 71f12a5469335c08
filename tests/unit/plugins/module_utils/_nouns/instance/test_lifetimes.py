# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of instances beside their definition: only what is known, and nothing made up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.lifetimes import (
    describe_lifetime,
    read_time,
    render_start,
    write_time,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Nic
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.planning import plan_vms
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import Consent
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.resource import VmResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from instance_model import Model, whole

MADE, NOW = 1_764_430_000.5, 1_764_433_600.0
WEB = whole(name="web", node="node1", memory=512)


def live(now: float) -> str:
    """Return metadata as libvirt writes them, with a prefix."""
    element = render_start(now).replace("<run xmlns=", "<run:run xmlns:run=")
    return f"<domain id='1'><metadata>\n    {element}\n  </metadata></domain>"


def test_it_is_written_when_it_is_made_and_stays() -> None:
    model = Model.fresh()
    model.apply(plan_vms([WEB], replace(model.have, now=MADE), Consent()))
    made = model.guest("web")[1].config
    assert made.labels.created == write_time(MADE) == "2025-11-29T15:26:40Z"
    later = replace(model.have, now=NOW)
    assert plan_vms([WEB], later, Consent()).is_empty
    model.apply(plan_vms([Vm(name="web", memory=1024, tags=("front",))], later, Consent()))
    assert model.guest("web")[1].config.labels.created == made.labels.created


def test_of_one_that_was_there_it_is_not_known() -> None:
    model = Model.fresh()
    model.converge(WEB)
    later = replace(model.have, now=NOW)
    assert plan_vms([WEB], later, Consent()).is_empty
    assert model.guest("web")[1].config.labels.created is None


@pytest.mark.parametrize(
    ("xml", "live_xml", "started"),
    [
        ("<domain/>", live(MADE), write_time(MADE)),
        ("<domain/>", live(MADE).replace('"', "'"), write_time(MADE)),
        # By libvirt with its node, or by hand.
        ("<domain/>", "<domain id='1'/>", None),
        ("<domain/>", None, None),
        # Made of a running one's: whoever is started from it seems to run since then.
        (live(MADE), live(MADE), None),
        ("<domain/>", live(MADE).replace("2025", "soon"), None),
        ("<domain/>", live(MADE).replace("started", "since"), None),
    ],
)
def test_since_when_it_runs(xml: str, live_xml: str | None, started: str | None) -> None:
    told = describe_lifetime(write_time(MADE), xml, live_xml, NOW)
    uptime = 3600 if started else None
    assert told == {"created": "2025-11-29T15:26:40Z", "started": started, "uptime_s": uptime}


@pytest.mark.parametrize("text", ["", "yesterday", "2025-11-29T15:26:40", "2025-11-29"])
def test_what_a_hand_wrote_is_no_time(text: str) -> None:
    assert read_time(text) is None
    assert describe_lifetime(text, "", None, NOW)["created"] is None


def test_a_clock_that_was_set_back_gives_no_negative_time() -> None:
    assert describe_lifetime(None, "", live(NOW), MADE)["uptime_s"] == 0


def test_interfaces_of_a_guest_are_told_by_the_names_of_its_nics() -> None:
    model = Model.fresh()
    model.converge(replace(WEB, nics=(Nic(name="front", port_group="Production", mac="52:54:00:00:00:01"),)))
    uuid = model.guest("web")[1].config.uuid
    said = [
        {"name": "lo", "mac": None, "addresses": ["127.0.0.1/8"]},
        {"name": "eth0", "mac": "52:54:00:00:00:01", "addresses": ["172.20.0.11/24"]},
        {"name": "docker0", "mac": "52:54:00:00:00:02", "addresses": []},
    ]
    (told,) = VmResource().describe((), replace(model.have, interfaces={uuid: said}))
    assert [one["nic"] for one in told["guest_interfaces"]] == [None, "front", None]
    assert [one["addresses"] for one in told["guest_interfaces"]] == [one["addresses"] for one in said]
    (told,) = VmResource().describe((), replace(model.have, interfaces={}))
    assert told["guest_interfaces"] is None
