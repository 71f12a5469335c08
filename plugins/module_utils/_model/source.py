# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where images may come from."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import SplitResult, urlsplit

from .mistake import shown


def is_url(source: str) -> bool:
    """Tell whether a source is a URL rather than a file on the controller."""
    return "://" in source or source.startswith("file:")


def check_source(value: str) -> str | None:
    """Refuse what could reach into the coordinator or leak a password. Returns what is wrong, or None."""
    if not value or not value.isprintable():
        return f"{shown(value)} is not a file or a URL"
    if not is_url(value):
        if value.startswith("-") or ".." in value.split("/"):
            return f"{shown(value)} is not a file name; write an absolute path, or one relative to the inventory"
        return None
    try:
        url = urlsplit(value)
        url.port  # noqa: B018 - computed, and checked, when it is asked for
    except ValueError:
        return "it is not a URL; write one such as https://images.example.com/debian-12.qcow2"
    return _check_url(value, url)


# A host, or an address of IPv4, at the beginning of what was to be a URL.
_HOST = re.compile(r"([A-Za-z0-9-]+\.)+([A-Za-z]{2,}|[0-9]+)(:[0-9]+)?(/.*)?")


def lacks_scheme(text: str) -> bool:
    return not is_url(text) and _HOST.fullmatch(text) is not None


def check_mirror(value: str) -> str | None:
    """A directory, or a URL. Returns what is wrong, or None."""
    if lacks_scheme(value):
        return f"{shown(value)} is no URL without its scheme; write https:// before it, or ./ before a directory"
    return check_source(value)


def is_inward(text: str) -> bool:
    """Tell whether an address is of this host, of its link alone, or of no single host."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified


def _check_url(value: str, url: SplitResult) -> str | None:
    if url.username is not None or url.password is not None:
        return f"the URL on {shown(url.hostname)} holds a password, which would reach logs; serve the image without one"
    if url.scheme not in ("http", "https"):
        return f"{shown(value)} has the scheme {shown(url.scheme)}; allowed are http and https"
    if not url.hostname:
        return f"{shown(value)} names no host"
    host = url.hostname.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return f"{shown(value)} points at the coordinator itself"
    address = _address_in(host)
    if address is not None and is_inward(address):
        return f"{shown(value)} points at a loopback or link-local address"
    return None


def _address_in(host: str) -> str | None:
    """Return the address that is written as a host, None if it is a name.

    127.1, 2130706433 and 0x7f.1 are addresses too: what connects reads them so.
    """
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None
