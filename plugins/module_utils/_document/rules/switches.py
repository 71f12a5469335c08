# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of vSwitches: a physical NIC serves one of them, and never carries the management address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..._model.mistake import Mistake
from ..._nouns.vswitch.spec import Vswitch, find_mistakes_within
from ..elements import Declared, Host


def find_uplink_mistakes(vswitches: Sequence[Declared[Vswitch]], hosts: Mapping[str, Host]) -> list[Mistake]:
    """Domain rules, "Nodes": an address may not sit on a vSwitch uplink. Preflight looks again on the hosts."""
    mistakes = []
    taken: dict[tuple[str, str], str] = {}
    for vswitch in vswitches:
        mistakes += find_mistakes_within(vswitch.spec, vswitch.path)
        if vswitch.spec.state != "present":
            continue
        nodes = vswitch.spec.nodes or ()
        for number, uplink in enumerate(vswitch.spec.uplinks or ()):
            path = f"{vswitch.path}.uplinks[{number}]"
            others: dict[str, list[str]] = {}
            for node in nodes:
                if (node, uplink) in taken:
                    others.setdefault(taken[node, uplink], []).append(node)
                taken.setdefault((node, uplink), vswitch.spec.name)
            for other, shared in others.items():
                mistakes.append(Mistake(path, f'"{uplink}" is an uplink of {other} too, on {", ".join(shared)}'))
            carrying = [node for node in nodes if node in hosts and hosts[node].management_interface == uplink]
            if carrying:
                problem = f'"{uplink}" carries the management address of {", ".join(carrying)}'
                mistakes.append(Mistake(path, f"{problem}; as an uplink it would cut the connection"))
    return mistakes
