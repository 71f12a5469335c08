# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory there is (libvirt: Domain XML, memory allocation)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...._fields.field import Field
from ..acts import Act, LimitContainer, ResizeMemory
from ..kinds import TYPES, Aspect, Refusal
from ..memory_room import ask_for, find_refusal, memory_of, parse_held_back, write_memory_of
from ..size import memory_of_guest


class _Memory:
    """In MiB. What the balloon keeps from the guest was written by hand."""

    def read(self, root: Any) -> int | str | None:
        if root.find("memory") is None:
            return None
        return memory_of_guest(memory_of(root), parse_held_back(root))

    def write(self, root: Any, value: Any) -> None:
        write_memory_of(root, value)


def _refuse(after: Any, before: Any) -> Sequence[Refusal]:
    refusal = find_refusal(after, before)
    return () if refusal is None else (Refusal("memory", *refusal),)


def _resize(_path: str, value: Any, live: Mapping[str, Any], running: Callable[[], Any]) -> Sequence[Act]:
    if live.get("type") == "lxc":
        return (LimitContainer(memory=value),)
    device = ask_for(running(), value)
    return (ResizeMemory(device, value),) if device is not None else ()


ASPECT = Aspect(
    option="memory",
    types=frozenset(TYPES),
    row=Field(
        kind="size",
        create=512,
        minimum=32,
        maximum=16 * 1024**2,
        at=_Memory(),
        effect="hot_plug",
        help="The memory. A running instance gets more at once, up to the O(memory_max) that it was started with, and "
        "gives it back again; both are up to its guest, which needs the driver C(virtio_mem) and has to bring the "
        "memory online. What it does not give back waits for its next start, as does everything else. Of a container "
        "it is the most that it can have, and changes at once.",
    ),
    refuse=_refuse,
    acts=_resize,
)
