# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A graphics card (libvirt: Domain XML, video devices)."""

from __future__ import annotations

from typing import Any

from ...._fields.field import Field
from ..kinds import Device, Need
from ..places import Attribute


def _needs(values: Any) -> list[Need]:
    model = values.get("model")
    return [Need(f"video:{model}", f"no video device {model}")] if model else []


DEVICE = Device(
    option="video",
    help="A graphics card. With O(graphics) alone it has one of libvirt's choice.",
    tag="video",
    says_none=True,
    table={
        "model": Field(
            kind="str",
            choices=("virtio", "vga", "bochs", "none"),
            create="virtio",
            at=Attribute("model", "type"),
            effect="next_boot",
            help="Its model. V(none) takes it away.",
        ),
    },
    slots=1,
    needs=_needs,
)
