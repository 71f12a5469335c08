# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processor as the guest sees it (libvirt: Domain XML, CPU model and topology)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...._fields.checks import check_word
from ...._fields.field import Field
from ..architectures import USUAL, facts_of
from ..kinds import Aspect, Need, Refusal
from ..places import Attribute

MODES = ("host-passthrough", "host-model", "maximum")

TOPOLOGY = {
    name: Field(
        kind="int",
        minimum=1,
        maximum=512,
        create=1,
        at=Attribute("cpu/topology", name, "int"),
        effect="next_boot",
        help=text,
    )
    for name, text in (
        ("sockets", "The number of sockets."),
        ("cores", "The number of cores in each socket."),
        ("threads", "The number of threads of each core."),
    )
}


class _Model:
    def read(self, root: Any) -> str | None:
        cpu = root.find("cpu")
        if cpu is None:
            return None
        mode = cpu.get("mode", "custom")
        return (cpu.findtext("model") or None) if mode == "custom" else str(mode)

    def write(self, root: Any, value: Any) -> None:
        cpu = _cpu(root)
        for key in ("mode", "match", "check", "migratable"):
            cpu.attrib.pop(key, None)
        for tag in ("model", "vendor"):
            for old in cpu.findall(tag):
                cpu.remove(old)
        if value in MODES:
            cpu.set("mode", value)
            return
        type_ = root.find("os/type")
        facts = facts_of(type_.get("arch", USUAL) if type_ is not None else USUAL)
        cpu.attrib.update({"mode": "custom", "match": "exact", "check": facts.cpu_check})
        model = cpu.makeelement("model", {"fallback": "forbid"})
        model.text = value
        cpu.insert(0, model)


class _Features:
    """Those with one policy. A feature has one policy at most."""

    def __init__(self, policy: str) -> None:
        self.policy = policy

    def read(self, root: Any) -> tuple[str, ...] | None:
        cpu = root.find("cpu")
        found = cpu.findall("feature") if cpu is not None else []
        return tuple(sorted(one.get("name", "") for one in found if one.get("policy") == self.policy)) or None

    def write(self, root: Any, value: Any) -> None:
        cpu, wanted = _cpu(root), set(value or ())
        for old in cpu.findall("feature"):
            if old.get("policy") == self.policy or old.get("name") in wanted:
                cpu.remove(old)
        for name in sorted(wanted):
            cpu.append(cpu.makeelement("feature", {"policy": self.policy, "name": name}))


def _cpu(root: Any) -> Any:
    cpu = root.find("cpu")
    if cpu is None:
        cpu = root.makeelement("cpu", {})
        root.append(cpu)
    return cpu


def _features(policy: str, text: str) -> Field:
    feature = Field(
        kind="str", check=check_word, sample="aes", help="A feature, as C(virsh cpu-models) and libvirt call it."
    )
    return Field(
        kind="list",
        element=feature,
        unique=True,
        create=(),
        compare="set",
        at=_Features(policy),
        effect="next_boot",
        is_expanded=True,
        help=text,
    )


def _refuse(root: Any, _before: Any) -> Sequence[Refusal]:
    """libvirt refuses a topology that does not hold exactly the vCPUs that there can be at most."""
    topology, vcpu = root.find("cpu/topology"), root.find("vcpu")
    if topology is None or vcpu is None:
        return ()
    counts = [int(topology.get(name, "1")) for name in ("sockets", "dies", "cores", "threads")]
    held, most = counts[0] * counts[1] * counts[2] * counts[3], int(vcpu.text or "1")
    if held == most:
        return ()
    what = f"{counts[0]} sockets of {counts[2]} cores with {counts[3]} threads hold {held} vCPUs, and it has {most}"
    return (Refusal("cpu.topology", what, f"Set vcpus: {held}, or a topology that holds {most}."),)


def _find_mistakes(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    cpu = values.get("cpu") or {}
    twice = sorted(set(cpu.get("require") or ()) & set(cpu.get("disable") or ()))
    mistakes = [("cpu.disable", f'"{name}" is required as well; leave out one') for name in twice]
    topology, name = cpu.get("topology"), "vcpus_max" if values.get("vcpus_max") is not None else "vcpus"
    vcpus = values.get(name)
    if topology is None or vcpus is None:
        return mistakes
    held = 1
    for key in TOPOLOGY:
        held *= topology.get(key) or 1
    if held != vcpus:
        mistakes.append(("cpu.topology", f"it holds {held} vCPUs, and {name} is {vcpus}; they must agree"))
    return mistakes


def _needs(values: Any) -> Sequence[Need]:
    model = values.get("model")
    models = [Need(f"cpu:{model}", f"no CPU model {model}")] if model else []
    return models + [
        Need(f"cpu-feature:{name}", f"no CPU feature {name}", is_told_lacking=True)
        for name in sorted(values.get("require") or ())
    ]


ASPECT = Aspect(
    option="cpu",
    help="The processor as the guest sees it.",
    table={
        "model": Field(
            kind="str",
            check=check_word,
            sample="Nehalem",
            at=_Model(),
            effect="next_boot",
            is_expanded=True,
            help="Its model: V(host-model), which is the node's own as far as libvirt knows it, V(host-passthrough), "
            "V(maximum), or one that C(virsh domcapabilities) of the node names as usable. A named one can run on, and "
            "move to, every node that has it. V(host-model) on nodes with KVM, and V(Nehalem) elsewhere, unless given; "
            "of aarch64 V(host-passthrough) and V(maximum).",
        ),
        "require": _features(
            "require",
            "Features that it has beside those of its model. It goes only to nodes of which libvirt does not tell that "
            "they lack one.",
        ),
        "disable": _features("disable", "Features of its model that it does not have."),
        "topology": Field(
            kind="dict",
            table=TOPOLOGY,
            help="How its vCPUs are laid out. Their product is O(vcpus_max), or O(vcpus) if that is not given. As "
            "libvirt chooses unless given.",
        ),
    },
    refuse=_refuse,
    find_mistakes=_find_mistakes,
    needs=_needs,
)
