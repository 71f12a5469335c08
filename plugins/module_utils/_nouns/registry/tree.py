# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud as a tree that a person reads at a glance. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..._model.sizes import show_size

_OK, _BAD = "✓", "✗"
# An address of IPv4 at its longest.
_ADDRESS = 15


def render_tree(
    organizations: Sequence[Mapping[str, Any]],
    datacenters: Sequence[Mapping[str, Any]],
    clusters: Sequence[Mapping[str, Any]],
    nodes: Sequence[Mapping[str, Any]],
    pools: Sequence[Mapping[str, Any]],
    vswitches: Sequence[Mapping[str, Any]],
    instances: Sequence[Mapping[str, Any]],
    declared: Mapping[str, str],
    volumes: Sequence[Mapping[str, Any]] = (),
) -> list[str]:
    """Return the tree's lines. Arguments are the modules' results; declared has the wanted power by instance."""
    lines: list[str] = []
    owners = {organization["name"]: organization for organization in organizations}
    for cluster in clusters:
        datacenter = next((dc for dc in datacenters if dc["name"] == cluster["datacenter"]), None)
        owner = datacenter["organization"] if datacenter else next(iter(owners), "")
        members = [node for node in nodes if node["cluster"] == cluster["name"]]
        here = [instance for instance in instances if instance["cluster"] == cluster["name"]]
        healthy = sum(node["health"] == "healthy" for node in members)
        heading = f"{owner} · {cluster['datacenter']} · {cluster['name']}"
        state = f"{healthy} of {len(members)} nodes healthy"
        if declared:
            right = sum(instance["power"] == declared.get(instance["name"]) for instance in here)
            state += f" · {right} of {len(declared)} instances as declared"
        else:
            state += f" · {len(here)} instances"
        lines.append(f"{heading}   {state}")
        own_pools = [pool for pool in pools if pool["cluster"] == cluster["name"]]
        for index, node in enumerate(members):
            is_last = index == len(members) - 1 and not own_pools
            lines += _node(node, is_last, cluster, own_pools, vswitches, here)
        lines += _pools(own_pools, [volume for volume in volumes if volume["cluster"] == cluster["name"]])
        homeless = [item for item in here if item["node"] not in {node["name"] for node in members}]
        lines += [f"    {item['name']}   {item['power']}   on no node" for item in homeless]
    return lines


def _node(
    node: Mapping[str, Any],
    is_last: bool,
    cluster: Mapping[str, Any],
    pools: Sequence[Mapping[str, Any]],
    vswitches: Sequence[Mapping[str, Any]],
    instances: Sequence[Mapping[str, Any]],
) -> list[str]:
    branch, trunk = ("└─", "   ") if is_last else ("├─", "│  ")
    mine = [instance for instance in instances if instance["node"] == node["name"]]
    facts = node.get("facts")
    parts = [f"{branch} {node['name']}", node["address"]]
    if facts is None:
        return [f"{'  '.join(parts)}  {_BAD} unreachable: {node.get('reason') or 'no answer'}"]
    running = sum(instance.get("memory", 0) for instance in mine if instance["power"] == "running")
    parts.append("kvm" if node.get("virt_type") == "kvm" else "no KVM")
    parts.append(f"mem {running / 1024:.1f}/{facts['memory'] / 1024:.1f} GiB")
    marks = [
        f"{pool['name']} {_OK if on['status'] == 'available' else _BAD + ' ' + on['status']}"
        for pool in pools
        for on in pool["nodes"]
        if on["name"] == node["name"]
    ]
    if marks:
        parts.append(f"pools {' '.join(marks)}")
    parts += _vswitches(node["name"], cluster["name"], vswitches)
    lines = ["  ".join(parts)]
    names = max((len(item["name"]) for item in mine), default=0)
    firsts = [len(_addresses(item["nics"][0])) for item in mine if item.get("nics")]
    # What is longer, as several addresses are, stands out.
    width = max((length for length in firsts if length <= _ADDRESS), default=0)
    for index, item in enumerate(sorted(mine, key=lambda found: found["name"])):
        twig = "└─" if index == len(mine) - 1 else "├─"
        addresses = ", ".join(
            f"{_addresses(nic):<{0 if number else width}}  {nic['port_group']}"
            for number, nic in enumerate(item.get("nics", ()))
        )
        lines.append(f"{trunk} {twig} {item['name']:<{names}}  {item['power']:<8}  {addresses}".rstrip())
    return lines


def _addresses(nic: Mapping[str, Any]) -> str:
    return " ".join(address.split("/")[0] for address in nic["addresses"]) or "no address"


def _pools(pools: Sequence[Mapping[str, Any]], volumes: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each pool; below it one for each node where it is in error, why, and since when; and its volumes."""
    lines = []
    names = max((len(pool["name"]) for pool in pools), default=0)
    types = max((len(pool["type"]) for pool in pools), default=0)
    for index, pool in enumerate(pools):
        branch, trunk = ("└─", "   ") if index == len(pools) - 1 else ("├─", "│  ")
        space = f"{_gib(pool['available'])} of {_gib(pool['capacity'])} GiB free" if pool["capacity"] else ""
        line = f"{branch} pool {pool['name']:<{names}}  {pool['type']:<{types}}  {pool['status']:<10}  {space}"
        lines.append(line.rstrip())
        below = [f"{on['name']}: {on['error']}{_since(on['error_at'])}" for on in pool["nodes"] if on["error"]]
        below += _volumes([volume for volume in volumes if volume["pool"] == pool["name"]])
        for number, text in enumerate(below):
            lines.append(f"{trunk} {'└─' if number == len(below) - 1 else '├─'} {text}")
    return lines


def _volumes(volumes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Volumes that live on their own: how large, where, and who has them."""
    names = max((len(volume["name"]) for volume in volumes), default=0)
    lines = []
    for volume in volumes:
        size = show_size(volume["size"]) if volume["size"] else "?"
        where = f"on {volume['node']}  " if volume["node"] else ""
        state = f"attached to {volume['attached_to']}" if volume["attached_to"] else volume["status"]
        mark = "" if volume["status"] in ("attached", "available") else f"{_BAD} "
        lines.append(f"volume {volume['name']:<{names}}  {size}  {where}{mark}{state}")
    return lines


def _gib(size: int) -> str:
    return f"{size / 1024**3:.1f}"


def _since(moment: float | None) -> str:
    return f", since {datetime.fromtimestamp(moment, tz=UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def _vswitches(node: str, cluster: str, vswitches: Sequence[Mapping[str, Any]]) -> list[str]:
    parts = []
    for vswitch in vswitches:
        if vswitch["cluster"] != cluster:
            continue
        on = next((found for found in vswitch["nodes"] if found["node"] == node), None)
        if on is None:
            continue
        uplinks = [
            f"{uplink['name']}{'*' if uplink.get('active') else ''}{'' if uplink.get('link') == 'up' else ' ' + _BAD}"
            for uplink in on.get("uplinks", ())
        ]
        mark = _OK if on.get("status", "available") == "available" else _BAD
        parts.append(" ".join([vswitch["name"], mark, *uplinks]))
    return parts
