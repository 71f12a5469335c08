# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Port group: what instances attach to; belongs to one vSwitch and carries the VLAN."""

from __future__ import annotations

from dataclasses import dataclass

from ..._fields.common import (
    CLUSTER,
    DESCRIPTION,
    NAME,
    STATE,
    adopting,
)
from ..._fields.field import Field

FIELDS = {
    "name": NAME,
    "vswitch": Field(kind="str", help="The vSwitch it belongs to, by name or identifier."),
    "vlan": Field(
        kind="int",
        create=0,
        minimum=0,
        maximum=4094,
        help="The VLAN of its frames on the uplinks, 1 to 4094; V(0) for untagged.",
    ),
    "adopt": adopting(
        "port groups of this name in the libvirt networks of its vSwitch that are nobody's become this one as they "
        "are: guests on them stay. Where the network of a node has none, it is made."
    ),
    "cluster": CLUSTER,
    "description": DESCRIPTION,
    "state": STATE,
}


@dataclass(frozen=True, kw_only=True)
class PortGroup:
    """vlan: 0 is untagged, None is not managed."""

    name: str
    vswitch: str | None = None
    vlan: int | None = None
    adopt: bool | None = None
    cluster: str | None = None
    description: str | None = None
    state: str = "present"
