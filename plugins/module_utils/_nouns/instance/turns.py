# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The turn of a device when the firmware looks for what to boot from (libvirt: Domain XML, boot order of devices)."""

from __future__ import annotations

from ..._fields.field import Field
from .places import Attribute

BOOT_ORDER = Field(
    kind="int",
    minimum=1,
    maximum=64,
    at=Attribute("boot", "order", "int"),
    effect="next_boot",
    help="Its turn when the firmware looks for what to boot from. As soon as one has a turn, only those that have one "
    "are looked at; without any it is the disks.",
)
