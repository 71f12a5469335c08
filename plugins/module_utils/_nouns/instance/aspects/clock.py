# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock of the machine (libvirt: Domain XML, time keeping)."""

from __future__ import annotations

from ...._fields.field import Field
from ..kinds import Aspect
from ..places import Attribute

ASPECT = Aspect(
    option="clock",
    help="The clock of the machine.",
    table={
        "offset": Field(
            kind="str",
            choices=("utc", "localtime"),
            create="utc",
            at=Attribute("clock", "offset"),
            effect="next_boot",
            help="What the guest reads from it. Windows expects V(localtime).",
        ),
    },
)
