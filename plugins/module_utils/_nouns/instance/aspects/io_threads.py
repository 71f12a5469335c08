# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads of QEMU's that do the work of disks (libvirt: Domain XML, IOThreads allocation)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...._fields.field import Field
from ..kinds import Aspect, Refusal
from ..threads import MAX_THREADS, find_highest, read_count, write_count


class _Threads:
    def read(self, root: Any) -> Any:
        return read_count(root)

    def write(self, root: Any, value: Any) -> None:
        write_count(root, value)


def _find_mistakes(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    threads, root = values.get("io_threads"), values.get("root")
    if threads == 0 and (values.get("pinning") or {}).get("io_threads"):
        return (("pinning.io_threads", "says where they run, and io_threads is 0; write how many, or leave it out"),)
    parts = [*([root] if root is not None else []), *(values.get("volumes") or ())]
    highest = find_highest(part.further for part in parts)
    if threads is None or highest <= threads:
        return ()
    return (("io_threads", f"is {threads}, and a disk has io_thread {highest}; write at least as many"),)


def _refuse(after: Any, before: Any) -> Sequence[Refusal]:
    """Only fewer: also controllers and disks that are not ours to know have threads, and libvirt pins threads."""
    threads, had = read_count(after), read_count(before)
    if not isinstance(threads, int) or threads == had or (isinstance(had, int) and threads > had):
        return ()
    named = [driver.get("iothread", "") for driver in after.iterfind("devices/*/driver")]
    named += [pin.get("iothread", "") for pin in after.iterfind("cputune/iothreadpin")]
    highest = max((int(number) for number in named if number.isdecimal()), default=0)
    if highest <= threads:
        return ()
    what = f"a device or a pin of its definition has thread {highest}, and it is to have {threads} of them"
    return (Refusal("io_threads", what, f"Set io_threads: {highest}, or take the thread from it first (virsh edit)."),)


ASPECT = Aspect(
    option="io_threads",
    row=Field(
        kind="int",
        minimum=0,
        maximum=MAX_THREADS,
        at=_Threads(),
        effect="next_boot",
        help="How many threads there are for disks, beside QEMU's main one. Which disk uses which, its C(io_thread) "
        "says. None unless given.",
    ),
    refuse=_refuse,
    find_mistakes=_find_mistakes,
)
