# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open vSwitch bridges as planners see them, and the edits that they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class PortVlan:
    """What a port does with VLANs, as its columns say. Two that mean the same compare equal."""

    tag: int | None = None
    trunks: tuple[int, ...] = ()
    mode: str | None = None

    def __post_init__(self) -> None:
        # Open vSwitch: without a mode, a tag makes an access port, which has no trunks.
        mode = self.mode or ("trunk" if self.tag is None else "access")
        object.__setattr__(self, "mode", mode)
        object.__setattr__(self, "tag", None if mode == "trunk" else self.tag)
        object.__setattr__(self, "trunks", () if mode == "access" else tuple(sorted(self.trunks)))

    def __str__(self) -> str:
        if self.mode == "access":
            return str(self.tag)
        if self == UNTAGGED:
            return "untagged"
        what = "all VLANs" if not self.trunks else f"VLANs {', '.join(map(str, self.trunks))}"
        return what if self.tag is None else f"{what}, {self.mode} {self.tag}"


# Without a list such a port carries every VLAN, and its guest could join any by tagging its own frames.
UNTAGGED = PortVlan(trunks=(0,))
ALL_VLANS = PortVlan()


def access(vlan: int | None) -> PortVlan:
    """Return what a port of a port group with this VLAN does; None is untagged."""
    return UNTAGGED if vlan is None else PortVlan(tag=vlan)


@dataclass(frozen=True, kw_only=True)
class InterfaceRecord:
    name: str
    type: str = ""
    error: str | None = None
    link: Literal["up", "down"] | None = None
    mac: str | None = None


@dataclass(frozen=True, kw_only=True)
class PortRecord:
    """primary is the interface that an active-backup bond prefers, active_mac the MAC of the one it uses now."""

    name: str
    vlan: PortVlan = ALL_VLANS
    bond_mode: str | None = None
    interfaces: tuple[InterfaceRecord, ...] = ()
    primary: str | None = None
    active_mac: str | None = None

    @property
    def uplinks(self) -> tuple[str, ...]:
        """Names of the interfaces, the preferred first."""
        names = sorted(interface.name for interface in self.interfaces)
        return tuple(sorted(names, key=lambda name: name != self.primary))


@dataclass(frozen=True, kw_only=True)
class BridgeRecord:
    """A bridge as it is. datapath is `system` (the kernel) or `netdev`; works: whether it came up."""

    name: str
    datapath: str = "system"
    works: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[PortRecord, ...] = ()

    def port(self, name: str) -> PortRecord | None:
        return next((port for port in self.ports if port.name == name), None)


@dataclass(frozen=True, kw_only=True)
class SwitchRecord:
    """All of a node's Open vSwitch. labels are those of the node itself."""

    bridges: Mapping[str, BridgeRecord] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class BridgeEdit:
    """A change of one bridge, made in one transaction.

    create: make it; found already, it is taken as it is. A bridge that does not work is brought up in any case.
    uplinks: exactly these interfaces in the port `uplink_port`, the preferred first; None leaves them.
    labels: None removes one.
    """

    bridge: str
    create: bool = False
    uplink_port: str = ""
    uplinks: tuple[str, ...] | None = None
    bond_mode: str | None = None
    labels: Mapping[str, str | None] = field(default_factory=dict)
