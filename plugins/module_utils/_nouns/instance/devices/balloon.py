# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory balloon, by which a guest gives memory back (libvirt: Domain XML, memory balloon device)."""

from __future__ import annotations

from ...._fields.field import Field
from ..kinds import Device
from ..places import Attribute

DEVICE = Device(
    option="balloon",
    help="The memory balloon, by which a guest tells of its memory and gives it back. A new instance has one.",
    tag="memballoon",
    says_none=True,
    table={
        "model": Field(
            kind="str",
            choices=("virtio", "none"),
            create="virtio",
            at=Attribute("", "model"),
            effect="next_boot",
            help="Its model. V(none) takes it away.",
        ),
        "autodeflate": Field(
            kind="bool",
            create=False,
            at=Attribute("", "autodeflate", "on_off"),
            effect="next_boot",
            help="Whether a guest that runs out of memory gets back what it gave.",
        ),
        "free_page_reporting": Field(
            kind="bool",
            create=False,
            at=Attribute("", "freePageReporting", "on_off"),
            effect="next_boot",
            help="Whether the guest tells which pages it does not use, so that the node can use them.",
        ),
        "stats_period_s": Field(
            kind="int",
            minimum=1,
            maximum=3600,
            at=Attribute("stats", "period", "int"),
            effect="next_boot",
            help="How often the guest tells of its memory, in seconds. Never unless given.",
        ),
    },
    slots=1,
)
