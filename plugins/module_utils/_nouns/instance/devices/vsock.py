# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A socket between a guest and its node, without a network (libvirt: Domain XML, Vsock)."""

from __future__ import annotations

from typing import Any

from ...._fields.field import Field
from ..kinds import Device
from ..places import Attribute

_AUTO = Attribute("cid", "auto", "yes_no")
_ADDRESS = Attribute("cid", "address", "int")


class _Cid:
    """0 is one of libvirt's choice, which a running guest's definition names as well."""

    def read(self, element: Any) -> Any:
        return 0 if _AUTO.read(element) else _ADDRESS.read(element)

    def write(self, element: Any, value: Any) -> None:
        _AUTO.write(element, not value)
        _ADDRESS.write(element, value or None)


def _check_cid(value: int) -> str | None:
    return f"{value} is the number of the node itself; write 0, or a number from 3 on" if value in (1, 2) else None


DEVICE = Device(
    option="vsock",
    help="A socket between the guest and its node, without a network (AF_VSOCK). The node needs the kernel's module "
    "C(vhost_vsock).",
    tag="vsock",
    table={
        "model": Field(
            kind="str",
            choices=("virtio", "none"),
            create="virtio",
            at=Attribute("", "model"),
            effect="hot_plug",
            help="Its model. V(none) takes it away.",
        ),
        "cid": Field(
            kind="int",
            minimum=0,
            maximum=2**32 - 2,
            check=_check_cid,
            create=0,
            at=_Cid(),
            effect="hot_plug",
            help="The guest's number, from 3 on, which no other on its node has. V(0) for one that libvirt chooses at "
            "each start.",
        ),
    },
    hot=frozenset({"attach", "detach"}),
    slots=1,
)
