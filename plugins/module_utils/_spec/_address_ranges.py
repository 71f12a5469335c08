"""Ranges in which no node's own address may lie (domain rules, "Nodes"). Data only: bare hosts import it too."""

from __future__ import annotations

REFUSED_RANGES: dict[str, tuple[str, ...]] = {
    "loopback": ("127.0.0.0/8", "::1/128"),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "documentation": ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"),
    "carrier-grade NAT": ("100.64.0.0/10",),
    "benchmark": ("198.18.0.0/15", "2001:2::/48"),
    "reserved": ("0.0.0.0/8", "240.0.0.0/4", "192.0.0.0/24", "::/128"),
}
