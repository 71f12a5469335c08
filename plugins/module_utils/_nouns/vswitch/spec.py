# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vSwitch: the bridge between instances and physical networks, realised on each of its nodes."""

from __future__ import annotations

from dataclasses import dataclass

from ..._fields.checks import check_uplink, check_vswitch_name
from ..._fields.common import (
    CLUSTER,
    DESCRIPTION,
    NODES,
    STATE,
)
from ..._fields.field import Field

FIELDS = {
    "name": Field(
        kind="str",
        required=True,
        check=check_vswitch_name,
        help="The name, V(svswitchN) with N from 1, unique in the cluster.",
    ),
    "uplinks": Field(
        kind="list",
        element=Field(kind="str", check=check_uplink, help="A physical NIC of the nodes."),
        unique=True,
        help="The physical NICs it uses, the preferred first. Several give redundancy: if one fails others carry on.",
    ),
    "bond_mode": Field(
        kind="str",
        create="active-backup",
        choices=("active-backup", "balance-slb"),
        help="How several uplinks share the work.",
    ),
    "cluster": CLUSTER,
    "nodes": NODES,
    "description": DESCRIPTION,
    "state": STATE,
}


@dataclass(frozen=True, kw_only=True)
class Vswitch:
    name: str
    uplinks: tuple[str, ...] | None = None
    bond_mode: str | None = None
    cluster: str | None = None
    nodes: tuple[str, ...] | None = None
    description: str | None = None
    state: str = "present"
