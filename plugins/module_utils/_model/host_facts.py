# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is, as it tells itself.

Read by the door to the host, judged by preflight: on hosts on which nothing has been installed yet.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A network interface. speed_mbits is None where the driver does not tell; addresses carry no prefix length.

    uppers: the interfaces on top of it, such as a bridge, a bond or a VLAN, at any height.
    """

    name: str
    addresses: tuple[str, ...] = ()
    speed_mbits: int | None = None
    has_default_route: bool = False
    uppers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mount:
    """What is mounted where, as the kernel tells; or, of a declared pool, what shall be."""

    path: str
    source: str
    pool: str = ""


@dataclass(frozen=True)
class Directory:
    """The directory of a storage pool, declared or one of libvirt's on the host, by its path."""

    pool: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Membership:
    """The deployment whose CA certificate lies on the host. fingerprint: SHA-256 of its DER form, in hexadecimal."""

    deployment: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """What the host is. Sizes in bytes.

    raid_volumes: the block devices that are volumes of a RAID controller, each with its driver. directories: of
    libvirt's storage pools. resolved: where the paths of directories lead to, links followed, for those that are links.
    """

    architecture: str
    word_bits: int
    os_id: str
    os_version: str
    init: str
    cores: int
    sockets: int
    memory_bytes: int
    storage_bytes: int
    cpu_flags: frozenset[str] = frozenset()
    kvm: str = "absent"
    kvm_reason: str = ""
    raid_volumes: tuple[str, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    mounts: tuple[Mount, ...] = ()
    directories: tuple[Directory, ...] = ()
    resolved: Mapping[str, str] = field(default_factory=dict)
    membership: Membership | None = None
    container: str | None = None
    virtual_machine: str | None = None

    def interface(self, name: str) -> Interface | None:
        return next((nic for nic in self.interfaces if nic.name == name), None)

    def interface_of(self, address: str) -> Interface | None:
        """Return the interface that carries the address, in whatever form either is written."""
        wanted = parse_address(address)
        if wanted is None:
            return None
        return next(
            (nic for nic in self.interfaces if any(parse_address(text) == wanted for text in nic.addresses)),
            None,
        )


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
