# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node can do, and an instance that needs more."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.abilities import (
    find_lacking,
    knows_machine,
    needs_of,
    parse_abilities,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.planning import plan_vms
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import Consent
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from instance_model import Model, acts, whole

# As libvirt 9 says it, as far as it is read.
DOMAIN = """
<domainCapabilities>
  <os supported="yes">
    <enum name="firmware"><value>efi</value></enum>
    <loader supported="yes"><enum name="secure"><value>yes</value><value>no</value></enum></loader>
  </os>
  <cpu>
    <mode name="host-passthrough" supported="no"/>
    <mode name="maximum" supported="yes"/>
    <mode name="host-model" supported="yes">
      <model fallback="forbid">EPYC</model>
      <feature policy="require" name="pcid"/><feature policy="require" name="x2apic"/>
      <feature policy="disable" name="monitor"/>
    </mode>
    <mode name="custom" supported="yes"><model usable="yes">Nehalem</model><model usable="no">Skylake</model></mode>
  </cpu>
  <devices>
    <graphics supported="yes"><enum name="type"><value>vnc</value></enum></graphics>
    <video supported="yes"><enum name="modelType"><value>vga</value><value>none</value></enum></video>
    <tpm supported="yes"><enum name="backendModel"><value>passthrough</value><value>emulator</value></enum></tpm>
  </devices>
</domainCapabilities>
"""
HOST = """
<capabilities>
  <host><cpu>
    <pages unit="KiB" size="4"/><pages unit="KiB" size="2048"/><pages unit="KiB" size="1048576"/>
  </cpu></host>
  <guest><os_type>hvm</os_type><arch name="x86_64">
    <machine maxCpus="288">pc-q35-5.2</machine><machine canonical="pc-q35-7.2" maxCpus="288">q35</machine>
  </arch></guest>
</capabilities>
"""
ABLE = parse_abilities(DOMAIN, HOST, 2)


def test_what_libvirt_tells_is_read() -> None:
    assert {
        "firmware:efi",
        "secure-boot",
        "cpu:maximum",
        "cpu:host-model",
        "cpu:Nehalem",
        "graphics:vnc",
        "video:vga",
        "tpm:emulator",
        "huge-pages:2",
        "huge-pages:1024",
        "thread:0",
        "thread:1",
    } <= ABLE
    assert not ABLE & {"cpu:host-passthrough", "cpu:Skylake", "huge-pages:0", "thread:2", "graphics:spice"}
    bare = parse_abilities(DOMAIN.replace('tpm supported="yes"', 'tpm supported="no"'), HOST, 1)
    assert "tpm:emulator" not in bare


@pytest.mark.parametrize(
    ("further", "lacking"),
    [
        ({"cpu": {"model": "Nehalem"}, "tpm": {}, "firmware": {"type": "efi", "secure_boot": True}}, []),
        ({"cpu": {"model": "Skylake"}}, ["it has no CPU model Skylake"]),
        ({"cpu": {"model": "host-passthrough"}}, ["it has no CPU model host-passthrough"]),
        ({"graphics": {"type": "spice"}}, ["it has no SPICE"]),
        ({"graphics": {"type": "none"}, "video": {"model": "none"}, "tpm": {"model": "none"}}, []),
        ({"video": {"model": "virtio"}}, ["it has no video device virtio"]),
        ({"pinning": {"vcpus": (1, 2, 3)}}, ["it has no thread 2", "it has no thread 3"]),
        ({"pinning": {"each_vcpu": ({"vcpu": 0, "threads": (1, 2)},)}}, ["it has no thread 2"]),
        ({"memory_backing": {"huge_pages": 1024}}, []),
        ({"memory_backing": {"huge_pages": 512}}, ["it has no huge pages of 512 MiB"]),
        ({"memory_backing": {"huge_pages": 0}}, []),
    ],
)
def test_what_is_lacking(further: dict[str, Any], lacking: list[str]) -> None:
    needs = needs_of(Vm(name="web", further=further), None)
    assert find_lacking(needs, ABLE) == lacking
    assert find_lacking(needs, None) == [], "what is not known is left to libvirt"


@pytest.mark.parametrize("model", [None, "host-model", "Nehalem", "maximum"])
def test_a_feature_is_lacking_only_where_that_is_told(model: str | None) -> None:
    """Most that a node has its model implies, and nothing names them: libvirt finds that out when it starts."""
    wanted = ("aes", "monitor", "pcid", "unheard-of", "x2apic")
    needs = needs_of(Vm(name="web", further={"cpu": {"model": model, "require": wanted}}), None)
    assert find_lacking(needs, ABLE) == ["it has no CPU feature monitor"]
    assert find_lacking(needs_of(Vm(name="web", further={"cpu": {"disable": wanted}}), None), ABLE) == []
    # Of aarch64, and of the test driver, nothing is told; and a model may be said to be none that counts.
    for domain in ("<domainCapabilities/>", DOMAIN.replace('"forbid"', '"allow"')):
        bare = parse_abilities(domain, HOST, 1)
        assert find_lacking(needs_of(Vm(name="web", further={"cpu": {"require": wanted}}), None), bare) == []


@pytest.mark.parametrize(
    ("machine", "abilities", "is_known"),
    [
        ("pc-q35-7.2", ABLE, True),
        ("pc-q35-5.2", ABLE, True),
        ("q35", ABLE, True),
        ("pc-q35-10.0", ABLE, False),
        ("pc-q35-10.0", None, True),
        ("pc-q35-10.0", frozenset({"cpu:maximum"}), True),
        ("", ABLE, True),
    ],
)
def test_a_type_of_machine_that_a_node_knows(machine: str, abilities: frozenset[str] | None, is_known: bool) -> None:
    assert knows_machine(machine, abilities) is is_known


@pytest.mark.parametrize("power", ["running", "stopped"])
def test_a_machine_of_a_newer_version_does_not_move(power: str) -> None:
    model = Model.fresh()
    model.converge(whole(name="web", node="node1", power=power))
    _, guest = model.guest("web")
    guest.xml = re.sub(r"machine=(.)q35", r"machine=\1pc-q35-10.0", guest.xml)
    assert "pc-q35-10.0" in guest.xml
    for knows, refused in (("pc-q35-7.2", True), ("pc-q35-10.0", False)):
        have = model.have
        able = frozenset({"cpu:Nehalem", f"machine:{knows}"})
        have = replace(have, nodes={name: replace(state, abilities=able) for name, state in have.nodes.items()})
        plan = plan_vms([Vm(name="web", node="node2")], have, Consent())
        told = "; ".join(str(one) for one in plan.refusals)
        is_told = "it is a machine of the type pc-q35-10.0, which the QEMU of node2 does not know" in told
        assert (is_told, bool(plan.works)) == (refused, not refused)


def test_what_it_has_is_needed_as_well() -> None:
    has = {"cpu": {"model": "Skylake"}, "tpm": {"model": "tpm-crb"}}
    needs = needs_of(Vm(name="web", further={"tpm": {"model": "none"}}), has)
    assert [need.ability for need in needs] == ["cpu:Skylake"]


def able(model: Model, **abilities: frozenset[str]) -> Any:
    """Return what there is, with what each node can do."""
    have = model.have
    nodes = {name: replace(state, abilities=abilities.get(name)) for name, state in have.nodes.items()}
    return replace(have, nodes=nodes)


def test_a_new_one_goes_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    model, none = Model.fresh(), frozenset[str]()
    web = whole(name="web", further={"tpm": {}})
    have = able(model, node1=none, node2=none, node3=ABLE)
    monkeypatch.setattr(Model, "have", property(lambda _self: have))
    (work,) = model.plan(web).works
    assert work.node == "node3"
    (problem,) = model.plan(replace(web, node="node1")).failures
    assert "it has no TPM in software (swtpm)" in problem.what
    (refusal,) = model.plan(replace(web, further={"cpu": {"model": "Skylake"}, "tpm": {}})).refusals
    assert "node3: it has no CPU model Skylake" in refusal.what
    (refusal,) = model.plan(replace(web, further={"cpu": {"require": ("monitor",)}, "tpm": {}})).refusals
    assert "node3: it has no CPU feature monitor" in refusal.what


def test_one_that_is_there_gets_only_what_its_node_has(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model.fresh()
    model.converge(whole(name="web", node="node1", further={"cpu": {"model": "Skylake"}}))
    have = able(model, node1=ABLE)
    monkeypatch.setattr(Model, "have", property(lambda _self: have))
    (problem,) = model.call(Vm(name="web", further={"graphics": {"type": "spice"}})).failures
    assert "it has no SPICE" in problem.what
    # What it has already is no reason to leave it unplanned.
    assert acts(model.call(Vm(name="web", further={"cpu": {"model": "Skylake"}, "clock": {"offset": "utc"}}))) == []
