# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vSwitch: the bridge between instances and physical networks, realised on each of its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._fields.checks import check_interface, check_uplink, check_vswitch_name
from ..._fields.common import (
    CLUSTER,
    DESCRIPTION,
    NODES,
    STATE,
    adopting,
    parse_spec,
)
from ..._fields.field import Field, join
from ..._model.mistake import Mistake

FIELDS = {
    "name": Field(
        kind="str",
        required=True,
        check=check_interface,
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
    "adopt": adopting(
        "bridges of Open vSwitch with this name that are nobody's become this vSwitch as they are, each with the "
        "libvirt network of its name that leads to it: their ports stay, and so do guests on them. A network is made "
        "where there is none, started, and starts with its node. Unless O(nodes) is given, it is on those that have "
        "such a bridge. Only with it the name may be another than V(svswitchN)."
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
    adopt: bool | None = None
    cluster: str | None = None
    nodes: tuple[str, ...] | None = None
    description: str | None = None
    state: str = "present"


def parse_vswitch_spec(raw: Mapping[str, Any], path: str) -> tuple[Vswitch | None, list[Mistake]]:
    """Parse one vSwitch, and look whether its options belong together. Returns (spec or None, mistakes)."""
    spec, mistakes = parse_spec(FIELDS, Vswitch, raw, path)
    if spec is not None:
        mistakes = find_mistakes_within(spec, path)
    return (None, mistakes) if mistakes else (spec, [])


def find_mistakes_within(vswitch: Vswitch, path: str) -> list[Mistake]:
    """Return what is wrong with its name: only that of a bridge that is there is not ours to choose."""
    problem = check_vswitch_name(vswitch.name) if vswitch.state == "present" and not vswitch.adopt else None
    more = "; a bridge of another name that is there can be adopted (adopt: true)"
    return [Mistake(join(path, "name"), f"{problem}{more}")] if problem else []
