# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The menu of the firmware (libvirt: Domain XML, operating system booting)."""

from __future__ import annotations

from ...._fields.field import Field
from ..kinds import Aspect
from ..places import Attribute

ASPECT = Aspect(
    option="boot",
    help="How the firmware begins.",
    table={
        "menu": Field(
            kind="bool",
            create=False,
            at=Attribute("os/bootmenu", "enable", "yes_no"),
            effect="next_boot",
            help="Whether it offers a menu of what to boot from.",
        ),
        "menu_timeout_ms": Field(
            kind="int",
            minimum=0,
            maximum=65535,
            at=Attribute("os/bootmenu", "timeout", "int"),
            effect="next_boot",
            help="How long the menu waits, in milliseconds. As the firmware has it unless given.",
        ),
    },
)
