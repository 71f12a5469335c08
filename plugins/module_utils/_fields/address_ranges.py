# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges in which no address of a host may lie (domain rules, "Nodes"). Standard library only: bare hosts import it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network

# These are nobody's own, neither a node's nor a guest's.
NO_HOSTS: dict[str, tuple[str, ...]] = {
    "loopback": ("127.0.0.0/8", "::1/128"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "reserved": ("0.0.0.0/8", "240.0.0.0/4", "192.0.0.0/24", "::/128"),
    # Other ways to write an IPv4 address, and to send it through a tunnel: the same host would have two.
    "mapped IPv4": ("::/96", "::ffff:0:0/96"),
    "6to4": ("2002::/16",),
}
# A guest may be a thing of its own network alone; a node must be reached by the others.
REFUSED_RANGES: dict[str, tuple[str, ...]] = {
    **NO_HOSTS,
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "documentation": ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"),
    "carrier-grade NAT": ("100.64.0.0/10",),
    "benchmark": ("198.18.0.0/15", "2001:2::/48"),
}


# Thousands of addresses are held against the same few.
_network = lru_cache(maxsize=64)(ip_network)


def find_range(address: IPv4Address | IPv6Address, ranges: Mapping[str, tuple[str, ...]]) -> str | None:
    """Return the kind of the first range that an address lies in, None if it lies in none."""
    return next(
        (kind for kind, networks in ranges.items() if any(address in _network(text) for text in networks)), None
    )
