# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that a node cannot read: only where a node has it, with what it needs, and never on another node."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance import walk
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.abilities import (
    find_lacking,
    needs_of,
    parse_abilities,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.architectures import find_unsuited
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import (
    Vm,
    find_missing,
    find_mistakes_within,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.unsuited import (
    find_unsuited as find_unsuited_of_container,
)
from instance_model import Model, acts, whole

SEV = {"launch_security": {"type": "sev"}}
WITH = {"firmware": {"type": "efi"}, "memory_backing": {"locked": True}}
WEB = whole(name="web", node="node1", further={**WITH, **SEV})
# As libvirt 9 tells it of a processor that has it, as far as it is read.
CAPABLE = """<domainCapabilities><domain>{}</domain><features><sev supported="{}"><cbitpos>51</cbitpos>
<reducedPhysBits>1</reducedPhysBits><maxGuests>410</maxGuests>{}</sev></features></domainCapabilities>"""


def abilities(domain: str = "kvm", supported: str = "yes", more: str = "") -> frozenset[str]:
    return parse_abilities(CAPABLE.format(domain, supported, more), "<capabilities/>", 0)


def written(xml: str | None) -> str:
    (found,) = ET.fromstring(xml or "").iterfind("launchSecurity")
    return ET.tostring(found, encoding="unicode")


@pytest.mark.parametrize(
    ("able", "lacking", "lacking_es"),
    [
        (abilities(more="<maxESGuests>99</maxESGuests>"), [], []),
        (abilities(more="<maxESGuests>0</maxESGuests>"), [], ["it has no SEV-ES"]),
        (abilities(), [], ["it has no SEV-ES"]),
        (abilities(supported="no"), ["it has no SEV"], ["it has no SEV", "it has no SEV-ES"]),
        (abilities(domain="qemu"), ["it has no SEV"], ["it has no SEV", "it has no SEV-ES"]),
        (frozenset(), ["it has no SEV"], ["it has no SEV", "it has no SEV-ES"]),
    ],
)
def test_a_node_has_it_or_not(able: frozenset[str], lacking: list[str], lacking_es: list[str]) -> None:
    for policy, expected in ((None, lacking), (3, lacking), (7, lacking_es)):
        needs = needs_of(Vm(name="web", further={"launch_security": {"type": "sev", "policy": policy}}), None)
        assert [what.partition(",")[0] for what in find_lacking(needs, able)] == expected
    assert needs_of(Vm(name="web", further={"launch_security": {"type": "none"}}), None) == []


def test_a_new_one_has_it_and_goes_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model.fresh()
    model.converge(WEB)
    assert written(model.guest("web")[1].xml) == (
        '<launchSecurity type="sev"><policy>0x0003</policy></launchSecurity>'
    ), "libvirt adds the bits of the node that it starts on"
    have = model.have
    able = {"node3": abilities() | {"firmware:efi"}}
    nodes = {name: replace(state, abilities=able.get(name, frozenset())) for name, state in have.nodes.items()}
    monkeypatch.setattr(Model, "have", property(lambda _self: replace(have, nodes=nodes)))
    (work,) = model.plan(replace(WEB, name="other", node=None)).works
    assert work.node == "node3"
    (problem,) = model.plan(replace(WEB, name="other")).failures
    assert "it has no SEV, by which AMD's processors encrypt the memory of guests" in problem.what


def test_it_waits_for_the_next_start() -> None:
    model = Model.fresh()
    model.converge(replace(WEB, further=WITH))
    more = Vm(name="web", further={"launch_security": {"type": "sev", "policy": 7}})
    (work,) = model.call(more).works
    assert acts(model.call(more)) == ["define"]
    assert {change.field for change in work.pending} == {"launch_security.type", "launch_security.policy"}
    model.apply(model.call(more, allow_restart=True, force_stop=True))
    assert model.call(more).is_empty
    assert "<policy>0x0007</policy>" in written(model.guest("web")[1].xml)
    none = Vm(name="web", further={"launch_security": {"type": "none"}})
    model.apply(model.call(none, allow_restart=True, force_stop=True))
    assert model.call(none).is_empty
    assert "launchSecurity" not in model.guest("web")[1].xml


def test_what_a_hand_has_written_stays() -> None:
    kept = '<launchSecurity type="sev" kernelHashes="yes"><policy>1</policy><cbitpos>47</cbitpos></launchSecurity>'
    root = ET.fromstring(f"<domain>{kept}</domain>")
    assert walk.read(root)["launch_security"] == {"type": "sev", "policy": 1}
    walk.edit(root, {"launch_security": {"type": "sev", "policy": 1}})
    assert ET.tostring(root, encoding="unicode") == f"<domain>{kept}</domain>"
    walk.edit(root, {"launch_security": {"type": "sev", "policy": 2}})
    assert ET.tostring(root, encoding="unicode") == f"<domain>{kept.replace('>1<', '>0x0002<')}</domain>"
    other = ET.fromstring('<domain><launchSecurity type="s390-pv"/></domain>')
    assert walk.read(other)["launch_security"] == {"type": "s390-pv"}


@pytest.mark.parametrize(
    ("further", "mistakes"),
    [
        (SEV, []),
        ({**SEV, **WITH}, []),
        (
            {**SEV, "firmware": {"type": "bios"}, "memory_backing": {"locked": False}},
            [
                "launch_security.type: needs UEFI; write firmware: {type: efi}",
                "launch_security.type: keeps all of its memory where it is on the node; write memory_backing: {locked: "
                "true}",
            ],
        ),
        (
            {"launch_security": {"type": "sev", "policy": 7}, "firmware": {"type": "efi", "secure_boot": True}},
            [
                "firmware.secure_boot: cannot be with SEV-ES (4 in launch_security.policy), which knows no protected "
                "mode of the firmware (SMM); leave one of them out"
            ],
        ),
        ({"launch_security": {"type": "sev", "policy": 3}, "firmware": {"type": "efi", "secure_boot": True}}, []),
        (
            {"launch_security": {"type": "none", "policy": 3}},
            ["launch_security.policy: says how its memory is encrypted, and type is none; leave it out"],
        ),
    ],
)
def test_mistakes_are_told_at_once(further: dict[str, Any], mistakes: list[str]) -> None:
    found = find_mistakes_within(Vm(name="web", further=further), "vms[0]")
    assert [str(mistake).removeprefix("vms[0].") for mistake in found] == mistakes


def test_a_new_one_says_what_it_needs() -> None:
    missing = find_missing(Vm(name="web", further=SEV), "vms[0]")
    assert [mistake.problem for mistake in missing] == [
        "needs UEFI; write firmware: {type: efi}",
        "keeps all of its memory where it is on the node; write memory_backing: {locked: true}",
    ]
    (refusal,) = Model.fresh().plan(whole(name="web", node="node1", further=SEV)).refusals
    assert "launch_security.type: needs UEFI; write firmware: {type: efi}" in refusal.what


@pytest.mark.parametrize(
    ("was", "wanted", "what", "remedy"),
    [
        ({}, SEV, "launch_security.type: it needs UEFI, and it has the BIOS", "An instance of another name can have"),
        (
            {"firmware": {"type": "efi"}},
            SEV,
            "it keeps all of its memory where it is on the node, and its memory is not locked",
            "Set memory_backing.locked: true as well.",
        ),
        ({**WITH, **SEV}, {"memory_backing": {"locked": False}}, "its memory is not locked", "locked: true as well."),
        (
            {**WITH, "firmware": {"type": "efi", "secure_boot": True}},
            {"launch_security": {"type": "sev", "policy": 5}},
            "firmware.secure_boot: it cannot be with SEV-ES",
            "Declare a policy without SEV-ES.",
        ),
    ],
)
def test_one_that_is_there_is_refused_by_name(was: Any, wanted: Any, what: str, remedy: str) -> None:
    model = Model.fresh()
    model.converge(whole(name="web", node="node1", further=was))
    (refusal,) = model.call(Vm(name="web", further=wanted)).refusals
    assert what in refusal.what
    assert remedy in refusal.remedy


@pytest.mark.parametrize("power", ["running", "stopped"])
def test_it_does_not_move(power: str) -> None:
    model = Model.fresh()
    shared = replace(WEB, root=replace(WEB.root, pool="shared"), volumes=()) if WEB.root else WEB
    model.converge(replace(shared, power=power))
    (refusal,) = model.call(Vm(name="web", node="node2")).refusals
    assert "its memory is encrypted with a key of node1's processor (launch_security)" in refusal.what
    assert "start it first" not in refusal.what


def test_neither_containers_nor_machines_of_aarch64_have_it() -> None:
    (found,) = find_unsuited_of_container(SEV)
    assert found[0] == "launch_security"
    assert "is nothing that a container has" in found[1]
    (found,) = find_unsuited(SEV, "aarch64")
    assert found == (
        "launch_security.type",
        "sev is nothing that a machine of aarch64 has; write none, or leave it out",
    )
