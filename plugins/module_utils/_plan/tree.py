"""The cloud as a tree that a person reads at a glance. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_OK, _BAD = "✓", "✗"


def render_tree(
    organizations: Sequence[Mapping[str, Any]],
    datacenters: Sequence[Mapping[str, Any]],
    clusters: Sequence[Mapping[str, Any]],
    nodes: Sequence[Mapping[str, Any]],
    pools: Sequence[Mapping[str, Any]],
    vswitches: Sequence[Mapping[str, Any]],
    instances: Sequence[Mapping[str, Any]],
    declared: Mapping[str, str],
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
        lines.append(f"{heading:<56}{state}")
        for index, node in enumerate(members):
            lines += _node(node, index == len(members) - 1, cluster, pools, vswitches, here)
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
    parts.append("kvm" if node.get("virt_type") == "kvm" else "qemu (no KVM)")
    parts.append(f"mem {running / 1024:.1f}/{facts['memory'] / 1024:.1f} GiB")
    marks = [
        f"{pool['name']} {_OK if on['status'] == 'available' else _BAD + ' ' + on['status']}"
        for pool in pools
        if pool["cluster"] == cluster["name"]
        for on in pool["nodes"]
        if on["name"] == node["name"]
    ]
    if marks:
        parts.append(f"pools {' '.join(marks)}")
    parts += _vswitches(node["name"], cluster["name"], vswitches)
    lines = ["  ".join(parts)]
    names = max((len(item["name"]) for item in mine), default=0)
    for index, item in enumerate(sorted(mine, key=lambda found: found["name"])):
        twig = "└─" if index == len(mine) - 1 else "├─"
        nics = item.get("nics", ())
        addresses = ", ".join(
            f"{' '.join(address.split('/')[0] for address in nic['addresses']) or 'no address'}  {nic['port_group']}"
            for nic in nics
        )
        lines.append(f"{trunk} {twig} {item['name']:<{names}}  {item['power']:<8}  {addresses}".rstrip())
    return lines


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
