# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts of virtual machines that are not ours: what they take from their node."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from .memory_room import find_plugged
from .placement import Size
from .size import parse_vcpus


def size_of_foreign(xml: str) -> Size:
    """Return what a domain takes; its memory is rounded up. libvirt gives it in KiB, whatever was written."""
    root = ET.fromstring(xml)
    plugged = find_plugged(root)
    memory = plugged.has if plugged is not None else -(-int(root.findtext("memory", "0")) // 1024)
    return Size(memory, parse_vcpus(root))
