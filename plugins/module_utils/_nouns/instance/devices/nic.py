# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a NIC is, beside where it attaches and its addresses (libvirt: Domain XML, network interfaces).

An instance has many: definition_nics.py tells them from one another, by their MAC addresses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...._fields.field import Field
from ..places import Attribute
from ..rows import create_rows, is_same, iterate_rows, value_at
from ..turns import BOOT_ORDER

# libvirt counts in KiB, and its numbers have 32 bits.
_MAX_MIB = (2**32 - 1) // 1024


class _Link:
    def read(self, element: Any) -> bool:
        link = element.find("link")
        return link is None or link.get("state") != "down"

    def write(self, element: Any, value: Any) -> None:
        link = element.find("link")
        if value is not False:
            if link is not None:
                element.remove(link)
            return
        if link is None:
            link = element.makeelement("link", {})
            element.append(link)
        link.set("state", "down")


class _Queues:
    """One is what libvirt does not write down."""

    attribute = Attribute("driver", "queues", "int")

    def read(self, element: Any) -> Any:
        return self.attribute.read(element) or 1

    def write(self, element: Any, value: Any) -> None:
        self.attribute.write(element, value if value != 1 else None)


class _MiB:
    """A number of KiB, as MiB; 0 is none. What is no whole number of them was written by hand."""

    def __init__(self, side: str, name: str) -> None:
        self.kib = Attribute(f"bandwidth/{side}", name, "int")

    def read(self, element: Any) -> Any:
        kib = self.kib.read(element)
        if not isinstance(kib, int):
            return kib or 0
        return kib // 1024 if kib % 1024 == 0 else f"{kib} KiB"

    def write(self, element: Any, value: Any) -> None:
        self.kib.write(element, value * 1024 if value else None)


def _limit(side: str, name: str, text: str) -> Field:
    return Field(kind="size", create=0, minimum=0, maximum=_MAX_MIB, at=_MiB(side, name), effect="live", help=text)


TABLE = {
    "model": Field(
        kind="str",
        choices=("virtio", "e1000e", "rtl8139"),
        create="virtio",
        at=Attribute("model", "type"),
        effect="next_boot",
        help="What the guest sees. V(virtio) is by far the fastest; the others are for guests without its driver.",
    ),
    "link": Field(
        kind="bool",
        create=True,
        at=_Link(),
        effect="live",
        help="Whether its cable is plugged in.",
    ),
    "mtu": Field(
        kind="int",
        minimum=576,
        maximum=65521,
        at=Attribute("mtu", "size", "int"),
        effect="next_boot",
        help="The largest frame, in bytes, which the guest's driver is told. That of the switch unless given.",
    ),
    "queues": Field(
        kind="int",
        create=1,
        minimum=1,
        maximum=256,
        at=_Queues(),
        effect="next_boot",
        help="How many queues it has, of the model V(virtio). More than virtual CPUs are of no use.",
    ),
    "boot_order": BOOT_ORDER,
    "limits": Field(
        kind="dict",
        help="How much it may take. In is towards the guest.",
        table={
            "bandwidth_in": _limit("inbound", "average", "Bytes per second in, such as 10 MiB; V(0 MiB) for no limit."),
            "burst_in": _limit(
                "inbound", "burst", "How many bytes may come in at once, beyond that. V(0 MiB) for libvirt's choice."
            ),
            "bandwidth_out": _limit("outbound", "average", "Bytes per second out; V(0 MiB) for no limit."),
            "burst_out": _limit("outbound", "burst", "How many bytes may go out at once, beyond that."),
        },
    ),
}


# All that a virtual function has of the rows: the rest is up to the NIC of the node.
_OF_FUNCTION = ("boot_order",)


def of_function(rows: Mapping[str, Any]) -> dict[str, Any]:
    """Return of the rows of a NIC what a virtual function has."""
    return {key: rows[key] for key in _OF_FUNCTION if rows.get(key) is not None}


def find_unsuited(rows: Mapping[str, Any]) -> list[str]:
    """Return which rows a virtual function cannot have. What is as it is without a word of it is none."""
    usual, field = create_rows(TABLE), Field(kind="dict", table=TABLE, help="")
    return [
        ".".join(path)
        for path, row, value in iterate_rows(field, rows, ())
        if path[0] not in _OF_FUNCTION and not is_same(row, value_at(usual, path), value)
    ]


def find_mistakes(nic: Any) -> list[tuple[str, str]]:
    """Return pairs of a path and what is wrong there."""
    limits = nic.get("limits") or {}
    mistakes = [
        (f"limits.burst_{side}", f"is beyond bandwidth_{side}; write that as well, or leave it out")
        for side in ("in", "out")
        if limits.get(f"burst_{side}") and not limits.get(f"bandwidth_{side}")
    ]
    if nic.get("queues") not in (None, 1) and nic.get("model") not in (None, "virtio"):
        mistakes.append(("queues", f"are of the model virtio, and it is {nic['model']}; leave them out"))
    return mistakes
