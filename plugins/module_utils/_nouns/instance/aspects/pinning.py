# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of its node's threads it runs on (libvirt: Domain XML, CPU allocation and CPU tuning)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...._fields.field import Field
from ..kinds import Aspect, Need
from ..places import CpuSet


def _needs(values: Any) -> Sequence[Need]:
    threads = {thread for chosen in values.values() for thread in chosen or ()}
    return [Need(f"thread:{thread}", f"no thread {thread}") for thread in sorted(threads)]


def _row(at: CpuSet, text: str) -> Field:
    thread = Field(kind="int", minimum=0, maximum=4095, help="The number of a thread of the node.")
    return Field(
        kind="list", element=thread, unique=True, create=(), compare="set", at=at, effect="next_boot", help=text
    )


ASPECT = Aspect(
    option="pinning",
    help="Which threads of its node it runs on. It can then only be where there are threads of these numbers.",
    table={
        "vcpus": _row(CpuSet("vcpu", "cpuset"), "The threads of its virtual CPUs. On any unless given."),
        "emulator": _row(
            CpuSet("cputune/emulatorpin", "cpuset"),
            "The threads of QEMU's own work, such as its disks. As the virtual CPUs unless given.",
        ),
    },
    needs=_needs,
)
