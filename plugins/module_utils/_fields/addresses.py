# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one form in which an IP or MAC address is kept and compared.

Standard library only: a filter on the controller uses it as well.
"""

from __future__ import annotations

import ipaddress
import re

_SEPARATOR = re.compile(r"[:.-]")


def canonical_address(text: str) -> str:
    """Return an address as RFC 5952 writes it. What is no address stays as it is: checks tell about it."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def canonical_mac(text: str) -> str:
    """Return a MAC address as libvirt shows it: six groups of two digits in lower case. What is none stays as it is."""
    digits = "".join(group.zfill(2) for group in _SEPARATOR.split(text)).lower()
    return ":".join(digits[place : place + 2] for place in range(0, 12, 2)) if len(digits) == 12 else text
