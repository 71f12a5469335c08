# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts of virtual machines that are not ours: the memory that they take from their node."""

from __future__ import annotations

import xml.etree.ElementTree as ET


def memory_of(xml: str) -> int:
    """Return a domain's memory in MiB, rounded up. libvirt gives it in KiB, whatever was written."""
    return -(-int(ET.fromstring(xml).findtext("memory", "0")) // 1024)
