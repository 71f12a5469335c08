# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processor as the guest sees it (libvirt: Domain XML, CPU model and topology)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...._fields.field import Field
from ..kinds import Aspect, Refusal
from ..places import Attribute

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
    topology, vcpus = (values.get("cpu") or {}).get("topology"), values.get("vcpus")
    if topology is None or vcpus is None:
        return ()
    held = 1
    for name in TOPOLOGY:
        held *= topology.get(name) or 1
    return () if held == vcpus else (("cpu.topology", f"it holds {held} vCPUs, and vcpus is {vcpus}; they must agree"),)


ASPECT = Aspect(
    option="cpu",
    help="The processor as the guest sees it.",
    table={
        "topology": Field(
            kind="dict",
            table=TOPOLOGY,
            help="How its vCPUs are laid out. Their product is O(vcpus). As libvirt chooses unless given.",
        )
    },
    refuse=_refuse,
    find_mistakes=_find_mistakes,
)
