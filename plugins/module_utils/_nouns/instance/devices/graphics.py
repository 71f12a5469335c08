# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A screen that is looked at over the network (libvirt: Domain XML, graphical framebuffers)."""

from __future__ import annotations

from typing import Any

from ...._fields.field import Field
from ..kinds import Device, Need
from ..places import Attribute


def _needs(values: Any) -> list[Need]:
    kind = values.get("type")
    return [Need(f"graphics:{kind}", f"no {kind.upper()}")] if kind else []


DEVICE = Device(
    option="graphics",
    help="A screen, which is looked at on the node's own loopback address: through C(ssh -L), or C(virt-viewer) with "
    "C(qemu+ssh).",
    tag="graphics",
    switch="type",
    fixed=(
        (Attribute("", "autoport"), "yes"),
        (Attribute("", "listen"), "127.0.0.1"),
        (Attribute("listen", "type"), "address"),
        (Attribute("listen", "address"), "127.0.0.1"),
    ),
    table={
        "type": Field(
            kind="str",
            choices=("vnc", "spice", "none"),
            create="vnc",
            at=Attribute("", "type"),
            effect="next_boot",
            help="The protocol. V(none) takes it away.",
        ),
    },
    needs=_needs,
)
