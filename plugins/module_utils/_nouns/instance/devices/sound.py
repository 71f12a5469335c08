# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sound card (libvirt: Domain XML, sound devices)."""

from __future__ import annotations

from ...._fields.field import Field
from ..kinds import Device
from ..places import Attribute

DEVICE = Device(
    option="sound",
    help="A sound card. It is heard through O(graphics) of the type V(spice) alone.",
    tag="sound",
    table={
        "model": Field(
            kind="str",
            choices=("ich9", "ich6", "ac97", "none"),
            create="ich9",
            at=Attribute("", "model"),
            effect="next_boot",
            help="Its model. V(none) takes it away.",
        ),
    },
    slots=1,
)
