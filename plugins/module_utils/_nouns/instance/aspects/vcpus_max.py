# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many virtual CPUs there can be while it runs (libvirt: Domain XML, CPU allocation)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...._fields.field import Field
from ..kinds import Aspect, Refusal
from ..size import has_room, parse_vcpus, parse_vcpus_max, write_vcpus_max


class _VcpusMax:
    def read(self, root: Any) -> int | None:
        return parse_vcpus_max(root) if root.find("vcpu") is not None else None

    def write(self, root: Any, value: Any) -> None:
        write_vcpus_max(root, value)


def _refuse(after: Any, _before: Any) -> Sequence[Refusal]:
    if has_room(after):
        return ()
    vcpus, most = parse_vcpus(after), parse_vcpus_max(after)
    what = f"it can have {most} virtual CPUs, and is to have {vcpus}"
    return (Refusal("vcpus_max", what, f"Set vcpus_max: {vcpus} as well, or at most {most} vcpus."),)


def _find_mistakes(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    vcpus, most = values.get("vcpus"), values.get("vcpus_max")
    if vcpus is None or most is None or vcpus <= most:
        return ()
    return (("vcpus_max", f"is {most}, and vcpus is {vcpus}; write at least as many, or leave it out"),)


ASPECT = Aspect(
    option="vcpus_max",
    row=Field(
        kind="int",
        minimum=1,
        maximum=512,
        at=_VcpusMax(),
        effect="next_boot",
        help="How many virtual CPUs it can have without a restart. As many as O(vcpus) unless given; more, of x86_64 "
        "alone.",
    ),
    refuse=_refuse,
    find_mistakes=_find_mistakes,
)
