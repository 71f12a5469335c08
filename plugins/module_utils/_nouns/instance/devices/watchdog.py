# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A watchdog, which does something to the guest when it no longer answers (libvirt: Domain XML, Watchdog devices).

The i6300esb is a device of PCI: the bridge that it needs on a machine of PCI Express comes with its next start.
"""

from __future__ import annotations

from ...._fields.field import Field
from ..kinds import Device
from ..places import Attribute

DEVICE = Device(
    option="watchdog",
    help="A watchdog. The guest needs its driver, and a service that feeds it.",
    tag="watchdog",
    table={
        "model": Field(
            kind="str",
            choices=("i6300esb", "none"),
            create="i6300esb",
            at=Attribute("", "model"),
            effect="next_boot",
            help="Its model. V(none) takes it away.",
        ),
        "action": Field(
            kind="str",
            choices=("reset", "shutdown", "poweroff", "pause", "none", "inject-nmi"),
            create="reset",
            at=Attribute("", "action"),
            effect="next_boot",
            help="What happens to a guest that no longer answers.",
        ),
    },
)
