# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory there is (libvirt: Domain XML, memory allocation)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...._fields.field import Field
from ..kinds import Aspect, Refusal
from ..size import find_obstacle, memory_of_guest, parse_held_back, parse_memory, write_memory


class _Memory:
    """In MiB. What the balloon keeps from the guest was written by hand."""

    def read(self, root: Any) -> int | str | None:
        memory = root.find("memory")
        return memory_of_guest(parse_memory(memory), parse_held_back(root)) if memory is not None else None

    def write(self, root: Any, value: Any) -> None:
        write_memory(root, value)


def _refuse(after: Any, before: Any) -> Sequence[Refusal]:
    obstacle = find_obstacle(before, parse_memory(after.find("memory")))
    return () if obstacle is None else (Refusal("memory", *obstacle),)


ASPECT = Aspect(
    option="memory",
    row=Field(
        kind="size",
        create=512,
        minimum=32,
        maximum=16 * 1024**2,
        at=_Memory(),
        effect="next_boot",
        help="The memory.",
    ),
    refuse=_refuse,
)
