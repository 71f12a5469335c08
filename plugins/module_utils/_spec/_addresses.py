"""The one form in which an IP address is kept and compared.

Standard library only: a filter on the controller uses it as well.
"""

from __future__ import annotations

import ipaddress


def canonical_address(text: str) -> str:
    """Return an address as RFC 5952 writes it. What is no address stays as it is: checks tell about it."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text
