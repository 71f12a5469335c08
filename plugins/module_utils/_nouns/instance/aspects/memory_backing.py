# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the memory of a guest is made of on its node (libvirt: Domain XML, memory backing)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...._fields.field import Field
from ...._model.sizes import show_size
from ..kinds import Aspect, Need
from ..memory_room import settle
from ..places import Attribute, Presence
from ..size import parse_pages, write_pages


class _HugePages:
    """In MiB."""

    def read(self, root: Any) -> int:
        return parse_pages(root)

    def write(self, root: Any, value: Any) -> None:
        write_pages(root, value)
        settle(root)


def _needs(values: Any) -> Sequence[Need]:
    size = values.get("huge_pages")
    return [Need(f"huge-pages:{size}", f"no huge pages of {show_size(size)}")] if size else []


ASPECT = Aspect(
    option="memory_backing",
    help="What its memory is made of on the node.",
    table={
        "huge_pages": Field(
            kind="size",
            minimum=0,
            maximum=1024,
            create=0,
            at=_HugePages(),
            effect="next_boot",
            help="The size of the huge pages that it is made of, such as C(2 MiB), which the node has to "
            "have set aside. C(0 MiB) is none.",
        ),
        "locked": Field(
            kind="bool",
            create=False,
            at=Presence("memoryBacking/locked"),
            effect="next_boot",
            help="Whether it is never swapped out. The node has to allow QEMU so much locked memory.",
        ),
        "unmerged": Field(
            kind="bool",
            create=False,
            at=Presence("memoryBacking/nosharepages"),
            effect="next_boot",
            help="Whether the node may not merge equal pages of it with those of others.",
        ),
        "access": Field(
            kind="str",
            choices=("private", "shared"),
            create="private",
            at=Attribute("memoryBacking/access", "mode"),
            effect="next_boot",
            help="Whether other programs of the node, such as those of virtiofs, may share it.",
        ),
    },
    needs=_needs,
)
