# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which a guest tells that its kernel has crashed (libvirt: Domain XML, panic device)."""

from __future__ import annotations

from ...._fields.field import Field
from ..kinds import Device
from ..places import Attribute

DEVICE = Device(
    option="panic",
    help="By this a guest tells that its kernel has crashed, and is then restarted. A new instance has one, but for "
    "aarch64, where there is none.",
    tag="panic",
    table={
        "model": Field(
            kind="str",
            choices=("isa", "hyperv", "none"),
            at=Attribute("", "model"),
            effect="next_boot",
            help="V(isa), which it is unless given, or V(hyperv) for Windows. V(none) takes it away, and is all that "
            "aarch64 has.",
        ),
    },
)
