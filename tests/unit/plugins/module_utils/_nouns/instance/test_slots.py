# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Free slots of running guests."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.slots import has_free_slot

PORT = (
    '<controller type="pci" index="{}" model="pcie-root-port"><address type="pci" bus="0x00" slot="0x02"/></controller>'
)
DISK = '<disk><address type="pci" domain="0x0000" bus="{}" slot="0x00" function="0x0"/></disk>'
DRIVE = '<disk><address type="drive" controller="0" bus="0" target="0" unit="3"/></disk>'


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ("", False),
        (PORT.format(1), True),
        (PORT.format(1) + DISK.format("0x01"), False),
        (PORT.format(1) + PORT.format(10) + DISK.format("0x01"), True),
        (PORT.format(1) + PORT.format(10) + DISK.format("0x01") + DISK.format("0x0a"), False),
        (PORT.format(1) + DRIVE, True),
    ],
)
def test_free_slots(devices: str, expected: bool) -> None:
    assert has_free_slot(f"<domain><devices>{devices}</devices></domain>") is expected


def test_a_domain_without_devices_has_none() -> None:
    assert not has_free_slot("<domain/>")
