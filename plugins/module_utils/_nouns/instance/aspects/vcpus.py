# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many virtual CPUs there are (libvirt: Domain XML, CPU allocation)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...._fields.field import Field
from ..acts import Act, LimitContainer, SetVcpus
from ..kinds import TYPES, Aspect
from ..size import parse_vcpus, write_vcpus


class _Vcpus:
    """Those at the start. The room for more is written with them where nothing hangs on it."""

    def read(self, root: Any) -> int | None:
        return parse_vcpus(root) if root.find("vcpu") is not None else None

    def write(self, root: Any, value: Any) -> None:
        write_vcpus(root, value)


def _plug_in(_path: str, value: Any, live: Mapping[str, Any], _running: Callable[[], Any]) -> Sequence[Act]:
    """Only more: what a guest does not let go of would be left half done. A container only has a limit."""
    if live.get("type") == "lxc":
        return (LimitContainer(processors=value),)
    return (SetVcpus(value),) if live.get("vcpus", 0) < value <= live.get("vcpus_max", 0) else ()


ASPECT = Aspect(
    option="vcpus",
    types=frozenset(TYPES),
    row=Field(
        kind="int",
        create=1,
        minimum=1,
        maximum=512,
        at=_Vcpus(),
        effect="hot_plug",
        help="The number of virtual CPUs. A running instance gets more at once, up to O(vcpus_max), and its guest has "
        "to bring them online; fewer, or more than that, it gets at its next start. A container sees all processors of "
        "its node, has the time of so many of them, and another number at once.",
    ),
    acts=_plug_in,
)
