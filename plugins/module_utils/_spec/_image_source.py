"""Where images may come from."""

from __future__ import annotations

from urllib.parse import urlsplit

from ._mistake import shown


def is_url(source: str) -> bool:
    """Tell whether a source is a URL rather than a file on the controller."""
    return "://" in source or source.startswith("file:")


def check_source(value: str) -> str | None:
    """Refuse what could reach into the coordinator or leak a password. Returns what is wrong, or None."""
    import netaddr  # late, for the reason in _checks.py

    if not value or not value.isprintable():
        return f"{shown(value)} is not a file or a URL"
    if not is_url(value):
        if value.startswith("-") or ".." in value.split("/"):
            return f"{shown(value)} is not a file name; write an absolute path, or one relative to the inventory"
        return None
    url = urlsplit(value)
    if url.scheme not in ("http", "https"):
        return f"{shown(value)} has the scheme {shown(url.scheme)}; allowed are http and https"
    if url.username is not None or url.password is not None:
        return f"the URL on {shown(url.hostname)} holds a password, which would reach logs; serve the image without one"
    if not url.hostname:
        return f"{shown(value)} names no host"
    host = url.hostname.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return f"{shown(value)} points at the coordinator itself"
    if netaddr.valid_ipv4(host, netaddr.INET_ATON) or netaddr.valid_ipv6(host):
        address = netaddr.IPAddress(host, flags=netaddr.INET_ATON) if ":" not in host else netaddr.IPAddress(host)
        if address.is_loopback() or address.is_link_local() or int(address) == 0:
            return f"{shown(value)} points at a loopback or link-local address"
    return None
