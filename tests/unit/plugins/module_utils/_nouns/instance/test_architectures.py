# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines of several architectures: what each is, which nodes they go to, and what they cannot have."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.abilities import (
    parse_abilities,
    parse_emulated,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.architectures import (
    ARCHITECTURES,
    architecture_in,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_writing import (
    convert_domain,
    edit_domain,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Cdrom, Root, Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import (
    Vm,
    find_mistakes_within,
    parse_vm,
)
from instance_model import TINY, Model, acts, whole
from lxml import etree

WEB = whole(name="web")
ARM = whole(name="arm", further={"architecture": "aarch64"})
# As libvirt 9 says it of QEMU 7.2, as far as it is read.
DOMAIN = """
<domainCapabilities><domain>qemu</domain><arch>aarch64</arch>
  <os supported="yes"><enum name="firmware"><value>efi</value></enum>
    <loader supported="yes"><enum name="secure"><value>no</value></enum></loader></os>
  <cpu>
    <mode name="host-passthrough" supported="no"/>
    <mode name="maximum" supported="yes"/>
    <mode name="host-model" supported="no"/>
    <mode name="custom" supported="yes"><model usable="unknown">cortex-a57</model></mode>
  </cpu>
  <devices>
    <graphics supported="yes"><enum name="type"><value>vnc</value></enum></graphics>
    <video supported="yes"><enum name="modelType"><value>vga</value><value>virtio</value></enum></video>
    <tpm supported="yes"><enum name="backendModel"><value>emulator</value></enum></tpm>
  </devices>
</domainCapabilities>
"""
HOST = """
<capabilities><host/>
  <guest><os_type>hvm</os_type><arch name="aarch64"/></guest>
  <guest><os_type>hvm</os_type><arch name="x86_64"/></guest>
  <guest><os_type>exe</os_type><arch name="riscv64"/></guest>
</capabilities>
"""
ABLE = parse_abilities(DOMAIN, HOST, 2)


@pytest.fixture
def model() -> Model:
    return Model.fresh()


def emulating(model: Model, *names: str) -> Model:
    for name in names:
        model.nodes[name].emulates = {"aarch64": ABLE}
    return model


def of_arm(model: Model, *names: str) -> Model:
    for name in names:
        model.nodes[name].architecture = "aarch64"
    return model


def made(model: Model, want: Vm) -> ET.Element:
    """Make an instance, and return its definition."""
    model.converge(want)
    return ET.fromstring(model.guest(want.name)[1].xml)


def problem_of(model: Model, want: Vm, *, is_whole: bool = True) -> str:
    """Return the only refusal or failure of an instance."""
    plan = (model.plan if is_whole else model.call)(want)
    assert plan.effective == ()
    (problem,) = (*plan.refusals, *plan.failures)
    return problem.what


def test_what_libvirt_tells_is_read() -> None:
    assert parse_emulated(HOST) == {"aarch64", "x86_64"}
    assert {"cpu:maximum", "cpu:cortex-a57", "firmware:efi", "tpm:emulator"} <= ABLE
    assert not ABLE & {"cpu:host-passthrough", "cpu:host-model", "secure-boot", "graphics:spice"}
    on_hardware = parse_abilities(DOMAIN.replace("<domain>qemu", "<domain>kvm"), HOST, 2)
    assert "cpu:cortex-a57" not in on_hardware, "KVM has no models but the host's own"


# What one is


def test_a_machine_of_aarch64(model: Model) -> None:
    arm = replace(ARM, root=Root(pool="local", size=64), cdroms=(Cdrom(name="discs"),))
    arm = replace(arm, further={**arm.further, "tpm": {}, "graphics": {}})
    root = made(emulating(model, "node1"), arm)
    assert (root.get("type"), root.find("os/type").attrib) == ("qemu", {"arch": "aarch64", "machine": "virt"})
    assert root.find("os").get("firmware") == "efi"
    assert [one.attrib for one in root.iterfind("os/firmware/feature")] == [{"name": "secure-boot", "enabled": "no"}]
    assert [one.tag for one in root.find("features")] == ["acpi", "gic"]
    assert root.find("features/gic").get("version") == "3"
    assert (root.find("cpu").attrib, list(root.find("cpu"))) == ({"mode": "maximum"}, [])
    assert root.find("devices/panic") is None
    assert root.find("devices/tpm").get("model") == "tpm-tis"
    assert root.find("devices/controller[@type='usb']").get("model") == "qemu-xhci"
    assert [one.get("type") for one in root.iterfind("devices/input")] == ["keyboard", "tablet"]
    buses = {disk.findtext("serial"): disk.find("target").get("bus") for disk in root.iterfind("devices/disk")}
    assert buses == {"root": "virtio", "discs": "scsi"}


def test_a_machine_of_x86_64_is_as_it_was(model: Model) -> None:
    root = made(model, replace(WEB, cdroms=(Cdrom(name="discs"),), further={"tpm": {}}))
    assert root.find("os/type").attrib == {"arch": "x86_64", "machine": "q35"}
    assert root.find("os").get("firmware") is None
    assert [one.tag for one in root.find("features")] == ["acpi", "apic"]
    assert root.findtext("cpu/model") == "Nehalem"
    assert root.find("devices/panic").get("model") == "isa"
    assert root.find("devices/tpm").get("model") == "tpm-crb"
    assert root.find("devices/controller[@type='usb']").get("model") == "none"
    assert root.find("devices/disk/target").get("bus") == "sata"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("virt_type", ["kvm", "qemu"])
def test_libvirt_knows_the_definition(model: Model, architecture: str, virt_type: str) -> None:
    """By its schema."""
    for node in model.nodes.values():
        node.architecture, node.virt_type = architecture, virt_type
    further = {
        "architecture": architecture,
        "tpm": {},
        "graphics": {},
        "video": {},
        "watchdog": {},
        "boot": {"menu": True},
    }
    want = replace(
        whole(name="web", vcpus=2, image="tiny", further=further),
        root=Root(pool="local"),
        volumes=(Volume(name="data", pool="local", size=64, further={"bus": "scsi"}),),
        cdroms=(Cdrom(name="discs"),),
    )
    root = made(model, want)
    assert root.get("type") == virt_type
    schema = etree.RelaxNG(etree.parse("/usr/share/libvirt/schemas/domain.rng"))
    schema.assertValid(etree.fromstring(ET.tostring(root)))


def test_the_processor_follows_the_node(model: Model) -> None:
    for node in of_arm(model, "node1", "node2", "node3").nodes.values():
        node.virt_type = "kvm"
    root = made(model, ARM)
    assert (root.get("type"), root.find("cpu").get("mode")) == ("kvm", "host-passthrough")
    assert root.find("features/gic") is None, "libvirt takes the host's"
    there = ET.fromstring(convert_domain(ET.tostring(root, encoding="unicode"), "qemu"))
    assert (there.get("type"), there.find("cpu").get("mode")) == ("qemu", "maximum")


@pytest.mark.parametrize(("architecture", "check"), [("aarch64", "none"), ("x86_64", "partial")])
def test_a_named_processor(model: Model, architecture: str, check: str) -> None:
    """libvirt 9 starts none of aarch64 that it would have to compare with its host's."""
    for node in model.nodes.values():
        node.architecture = architecture
    root = made(model, whole(name="web", further={"architecture": architecture, "cpu": {"model": "some"}}))
    assert (root.findtext("cpu/model"), root.find("cpu").get("check")) == ("some", check)


def test_the_machine_is_recorded_and_stays(model: Model) -> None:
    """libvirt writes QEMU's version of the machine down when a definition is made; every edit keeps it."""
    emulating(model, "node1").converge(replace(ARM, power="stopped"))
    guest = model.guest("arm")[1]
    guest.xml = guest.xml.replace('machine="virt"', 'machine="virt-7.2"')
    model.converge(replace(ARM, power="stopped", memory=1024, further={**ARM.further, "rng": {"source": "random"}}))
    assert ET.fromstring(model.guest("arm")[1].xml).find("os/type").get("machine") == "virt-7.2"
    assert 'machine="virt-7.2"' in edit_domain(guest.xml, guest.config)


@pytest.mark.parametrize(
    ("xml", "found"),
    [
        ("<domain><os><type arch='aarch64' machine='virt-7.2'>hvm</type></os></domain>", "aarch64"),
        ('<domain><os><type machine="q35" arch="x86_64">hvm</type></os></domain>', "x86_64"),
        ("<domain><os><type>hvm</type></os></domain>", "x86_64"),
        ("<domain type='lxc'><name>arch='aarch64'</name></domain>", "x86_64"),
        ("", "x86_64"),
    ],
)
def test_it_is_read_of_a_definition(xml: str, found: str) -> None:
    assert architecture_in(xml) == found


# Where one goes


@pytest.mark.parametrize(
    ("arms", "emulators", "further", "node", "home"),
    [
        ((), (), {}, None, ("x86_64", "node1")),
        (("node1", "node2", "node3"), (), {}, None, ("aarch64", "node1")),
        # Where they differ, a machine is a PC unless it says otherwise, or its node is named.
        (("node1",), (), {}, None, ("x86_64", "node2")),
        (("node1",), (), {}, "node1", ("aarch64", "node1")),
        (("node2",), (), {"architecture": "aarch64"}, None, ("aarch64", "node2")),
        # What runs it as it is comes before what emulates it, and what emulates it is better than nothing.
        (("node3",), ("node1", "node2"), {"architecture": "aarch64"}, None, ("aarch64", "node3")),
        ((), ("node2",), {"architecture": "aarch64"}, None, ("aarch64", "node2")),
        ((), ("node2",), {"architecture": "aarch64"}, "node2", ("aarch64", "node2")),
        ((), ("node2",), {}, "node2", ("x86_64", "node2")),
    ],
)
def test_where_one_goes(
    model: Model,
    arms: tuple[str, ...],
    emulators: tuple[str, ...],
    further: Mapping[str, Any],
    node: str | None,
    home: tuple[str, str],
) -> None:
    emulating(of_arm(model, *arms), *emulators)
    root = made(model, whole(name="web", node=node, further=further))
    assert (root.find("os/type").get("arch"), model.guest("web")[0]) == home


def test_when_its_own_nodes_are_full_it_is_emulated(model: Model) -> None:
    emulating(of_arm(model, "node3"), "node1").nodes["node3"].memory = 256
    made(model, ARM)
    assert model.guest("arm")[0] == "node1"


def test_no_node_can_be_its_own(model: Model) -> None:
    told = problem_of(model, ARM)
    assert (
        "node1: it is a host of x86_64, and emulates no aarch64 (pextra_architectures: [aarch64] would let it)" in told
    )
    of_arm(model, "node1", "node2", "node3")
    box = whole(name="web", further={"architecture": "x86_64"})
    assert "it is a host of aarch64, and emulates no x86_64" in problem_of(model, box)


def test_it_moves_only_to_what_can_be_its_own(model: Model) -> None:
    emulating(model, "node1", "node2")
    arm = replace(ARM, root=Root(pool="shared", size=64), node="node1")
    model.converge(arm)
    assert "it is a host of x86_64, and emulates no aarch64" in problem_of(model, replace(arm, node="node3"))
    model.converge(replace(arm, node="node2"))
    of_arm(model, "node3").nodes["node3"].virt_type = "kvm"
    # With KVM there, it has another processor: its memory cannot go along.
    told = problem_of(model, replace(arm, node="node3"))
    assert "node2 runs instances with qemu, node3 with kvm" in told


def test_it_is_emulated_on_hardware_that_is_not_its_own(model: Model) -> None:
    emulating(model, "node1").nodes["node1"].virt_type = "kvm"
    root = made(model, ARM)
    assert (root.get("type"), root.find("cpu").get("mode")) == ("qemu", "maximum")


@pytest.mark.parametrize("said", [{"firmware": {}}, {"firmware": {"secure_boot": False}}, {"panic": {}}])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_not_said_of_a_part_is_as_it_is_usual(model: Model, architecture: str, said: dict[str, Any]) -> None:
    """Whether a document says it, in which what is not said is made, or a call."""
    for node in model.nodes.values():
        node.architecture = architecture
    vm, mistakes = parse_vm({"name": "web", "memory": "512 MiB", "vcpus": 1, "architecture": architecture, **said}, "")
    assert vm is not None
    assert [*mistakes, *find_mistakes_within(vm, "")] == []
    root = made(model, vm)
    usual = ("efi", None) if architecture == "aarch64" else (None, "isa")
    panic = root.find("devices/panic")
    assert (root.find("os").get("firmware"), panic.get("model") if panic is not None else None) == usual
    assert model.call(vm).is_empty


def test_it_is_emulated_nowhere_unless_it_says_so(model: Model) -> None:
    """Not by a move either: one that never said what it is was made where it runs as it is."""
    web = whole(name="web", root=Root(pool="shared", size=64), node="node1", power="stopped")
    model.converge(web)
    of_arm(model, "node2").nodes["node2"].emulates = {"x86_64": ABLE | {"cpu:Nehalem"}}
    told = problem_of(model, Vm(name="web", node="node2"), is_whole=False)
    assert "only what itself says architecture: x86_64 goes there" in told
    said = Vm(name="web", node="node2", further={"architecture": "x86_64"})
    model.apply(model.call(said))
    assert model.guest("web")[0] == "node2"


@pytest.mark.parametrize(
    ("arms", "down", "home"),
    [
        (("node3",), ("node1", "node2"), None),
        (("node1", "node2"), ("node3",), None),
        (("node1",), ("node3",), ("x86_64", "node2")),
        ((), ("node1",), ("x86_64", "node2")),
    ],
)
def test_nodes_that_do_not_answer_agree_to_nothing(
    model: Model, arms: tuple[str, ...], down: tuple[str, ...], home: tuple[str, str] | None
) -> None:
    """What it is made as it stays: which nodes answer at the moment decides nothing."""
    of_arm(model, *arms)
    model.down = {name: Problem("it does not answer", node=name) for name in down}
    if home is not None:
        root = made(model, WEB)
        assert (root.find("os/type").get("arch"), model.guest("web")[0]) == home
        return
    told = problem_of(model, WEB)
    assert f"the nodes that answer are of aarch64, and {', '.join(down)}, which may be of another" in told
    assert "does not answer" in problem_of(model, replace(WEB, node=down[0]))
    root = made(model, ARM)
    assert root.find("os/type").get("arch") == "aarch64"


# Of images


def with_image(model: Model, architecture: str) -> Model:
    image = replace(TINY, attributes={**TINY.attributes, "architecture": architecture})
    model.members = [image if one.id == TINY.id else one for one in model.members]
    return model


def test_it_is_as_its_image(model: Model) -> None:
    emulating(with_image(model, "aarch64"), "node1")
    begun = whole(name="web", image="tiny", root=Root(pool="local"))
    told = problem_of(model, begun)
    assert "it is a host of x86_64, and to emulate aarch64 is slow: only what itself says" in told
    assert "architecture: aarch64 goes there" in told
    root = made(model, replace(begun, further={"architecture": "aarch64"}))
    assert root.find("os/type").get("arch") == "aarch64"
    root = made(of_arm(model, "node2"), replace(begun, name="other"))
    assert (root.find("os/type").get("arch"), model.guest("other")[0]) == ("aarch64", "node2")


def test_an_image_is_not_of_another_architecture(model: Model) -> None:
    with_image(model, "aarch64")
    begun = whole(name="web", image="tiny", root=Root(pool="local"), further={"architecture": "x86_64"})
    assert problem_of(model, begun) == "image tiny is of aarch64, and it is of x86_64"
    made(model, WEB)


# What it cannot have


@pytest.mark.parametrize(
    ("said", "path", "what"),
    [
        ({"firmware": {"type": "bios"}}, "firmware.type", "bios is nothing that a machine of aarch64 has; write efi"),
        ({"firmware": {"type": "efi", "secure_boot": True}}, "firmware.secure_boot", "true is nothing"),
        ({"panic": {"model": "isa"}}, "panic.model", "isa is nothing that a machine of aarch64 has; write none"),
        ({"tpm": {"model": "tpm-crb"}}, "tpm.model", "write tpm-tis or none, or leave it out"),
        ({"video": {"model": "vga"}}, "video.model", "write virtio or none"),
        ({"root": {"pool": "local", "size": "1 GiB", "bus": "sata"}}, "root.bus", "sata is nothing"),
        (
            {"volumes": [{"name": "data", "pool": "local", "size": "1 GiB", "bus": "sata"}]},
            "volumes[0] (data).bus",
            "write virtio or scsi or usb",
        ),
        ({"cdroms": [{"name": "discs", "bus": "sata"}]}, "cdroms[0] (discs).bus", "sata is nothing"),
        ({"vcpus": 1, "vcpus_max": 2}, "vcpus_max", "a machine of aarch64 gets no virtual CPUs while it runs"),
    ],
)
def test_what_it_cannot_have(model: Model, said: dict[str, Any], path: str, what: str) -> None:
    """Told by the options alone, by the planner of a new one, and of one that is there; nothing is changed."""
    vm, _ = parse_vm({"name": "arm", "architecture": "aarch64", **said}, "")
    assert vm is not None
    (mistake,) = find_mistakes_within(vm, "")
    assert (mistake.path, what in mistake.problem) == (path, True)
    on_x86, _ = parse_vm({"name": "arm", "architecture": "x86_64", **said}, "")
    assert on_x86 is not None
    assert find_mistakes_within(on_x86, "") == []

    of_arm(model, "node1", "node2", "node3")
    unsaid, _ = parse_vm({"name": "arm", **said}, "")
    assert unsaid is not None
    told = problem_of(model, unsaid, is_whole=False)
    assert (path in told, what in told) == (True, True), told
    model.converge(whole(name="arm", root=Root(pool="local", size=64)))
    told = problem_of(model, unsaid, is_whole=False)
    assert (path in told, what in told) == (True, True), told


def test_what_is_new_is_as_it_usually_is(model: Model) -> None:
    """On one that is there as on a new one; what it has already stays."""
    of_arm(model, "node1", "node2", "node3")
    model.converge(replace(ARM, power="stopped"))
    more = {"tpm": {}, "rng": {}}
    call = Vm(name="arm", cdroms=(Cdrom(name="discs"),), further=more)
    model.apply(model.call(call))
    root = ET.fromstring(model.guest("arm")[1].xml)
    assert root.find("devices/tpm").get("model") == "tpm-tis"
    assert root.find("devices/disk[@device='cdrom']/target").get("bus") == "scsi"
    assert acts(model.call(call)) == []
    panic = Vm(name="arm", further={"panic": {}})
    assert acts(model.call(panic)) == [], "it is none"


def test_it_stays_what_it_is(model: Model) -> None:
    emulating(model, "node1", "node2", "node3")
    model.converge(whole(name="web"))
    told = problem_of(model, Vm(name="web", further={"architecture": "aarch64"}), is_whole=False)
    assert told.startswith("architecture: it is a machine of x86_64, and cannot become one of aarch64")
    assert acts(model.call(Vm(name="web", further={"architecture": "x86_64"}))) == []
