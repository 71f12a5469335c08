# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory there can be while it runs (libvirt: Domain XML, memory allocation and memory devices).

memory_room.py knows how the definition says it, and memory.py refuses what does not fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...._fields.field import Field
from ..kinds import Aspect
from ..memory_room import find_uneven, parse_most, write_most


class _MemoryMax:
    """In MiB."""

    def read(self, root: Any) -> int | None:
        return parse_most(root) if root.find("memory") is not None else None

    def write(self, root: Any, value: Any) -> None:
        write_most(root, value)


def _find_mistakes(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    memory, most, backing = values.get("memory"), values.get("memory_max"), values.get("memory_backing") or {}
    if memory is None or most is None or memory == most:
        return ()
    if memory > most:
        what = f"is {most} MiB, and memory is {memory} MiB; write at least as much, or leave it out"
        return (("memory_max", what),)
    uneven = find_uneven(memory, most, backing.get("huge_pages") or 0)
    if uneven is not None:
        return (("memory_max", f"is {most} MiB, and memory is {memory} MiB. {uneven}"),)
    if backing.get("locked"):
        return (("memory_max", "memory that is locked cannot be plugged (memory_backing.locked); leave out one"),)
    return ()


ASPECT = Aspect(
    option="memory_max",
    row=Field(
        kind="size",
        minimum=32,
        maximum=16 * 1024**2,
        at=_MemoryMax(),
        effect="next_boot",
        help="How much memory it can have without a restart, a multiple of 128 MiB. A guest of Linux with room for "
        "more sets some 64 MiB of its memory aside at its start. As much as O(memory) unless given.",
    ),
    find_mistakes=_find_mistakes,
    slots=1,
)
