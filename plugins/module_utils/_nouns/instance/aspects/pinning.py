# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of its node's threads it runs on (libvirt: Domain XML, CPU allocation and CPU tuning)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...._fields.field import Field, Place
from ..kinds import Aspect, Need
from ..places import CpuSet
from ..threads import Pins


def _needs(values: Any) -> Sequence[Need]:
    # What a hand wrote and is no list of threads is text, and libvirt has taken it.
    known = [chosen for chosen in values.values() if chosen and not isinstance(chosen, str)]
    threads = {thread for chosen in known for thread in chosen}
    return [Need(f"thread:{thread}", f"no thread {thread}") for thread in sorted(threads)]


def _row(at: Place, text: str) -> Field:
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
        "io_threads": _row(
            Pins(),
            "The threads of its C(io_threads), each of which runs on any of these. As the virtual CPUs unless given. "
            "They stay so when there are more or fewer.",
        ),
    },
    needs=_needs,
)
