# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drive for CDs and DVDs is, beside what is in it (libvirt: Domain XML, hard drives, floppy disks, CDROMs).

An instance can have several: definition_cdroms.py tells them from one another, by their serials.
"""

from __future__ import annotations

from ...._fields.field import Field
from ..places import Attribute
from ..turns import BOOT_ORDER

TABLE = {
    "bus": Field(
        kind="str",
        choices=("sata", "scsi"),
        at=Attribute("target", "bus"),
        effect="next_boot",
        help="What it is attached by: V(sata), or V(scsi), which is virtio-scsi, for which the guest needs a driver. "
        "V(sata), and on aarch64, which has none, V(scsi), unless given.",
    ),
    "boot_order": BOOT_ORDER,
}
