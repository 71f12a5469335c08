# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a document alone: what is to be, without asking any host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._model.sizes import parse_size_mib
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.spec import default_reserved
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.spec import NETWORKED

from .model import (
    Cluster,
    Copy,
    Disk,
    Image,
    Instance,
    Nic,
    Node,
    Page,
    Pool,
    PoolOnNode,
    PortGroup,
    Switch,
    SwitchOnNode,
    Uplink,
    Volume,
)

_Raw = Mapping[str, Any]


def read_document(document: _Raw) -> Page:
    """Return the page. document: as pextra_deployment_validate returns it."""
    return Page(
        deployment=str(document.get("deployment_name") or ""),
        is_live=False,
        clusters=tuple(_read_cluster(raw, document) for raw in _present(document, "clusters")),
    )


def _present(document: _Raw, key: str, cluster: str | None = None) -> Iterator[_Raw]:
    for raw in document.get(key) or ():
        if raw.get("state", "present") == "present" and cluster in (None, raw.get("cluster")):
            yield raw


def _read_cluster(raw: _Raw, document: _Raw) -> Cluster:
    name = str(raw["name"])
    datacenters = {str(one["name"]): one for one in _present(document, "datacenters")}
    datacenter = str(raw.get("datacenter") or "")
    pools = tuple(_read_pool(one) for one in _present(document, "pools", name))
    instances = tuple(_read_instance(one) for one in _present(document, "instances", name))
    groups = list(_present(document, "port_groups", name))
    return Cluster(
        name=name,
        datacenter=datacenter,
        organization=str(datacenters.get(datacenter, {}).get("organization") or ""),
        description=str(raw.get("description") or ""),
        vcpus_per_thread=float(raw.get("vcpus_per_thread") or 0),
        nodes=tuple(_read_node(one, document.get("memory") or {}) for one in _present(document, "nodes", name)),
        switches=tuple(_read_switch(one, groups) for one in _present(document, "vswitches", name)),
        pools=pools,
        images=tuple(_read_image(one, pools, instances) for one in _present(document, "images", name)),
        instances=instances,
        volumes=tuple(_read_volume(one) for one in _present(document, "volumes", name)),
    )


def _read_node(raw: _Raw, memory_mib: Mapping[str, int]) -> Node:
    memory = memory_mib.get(str(raw["name"]))
    kept = size_mib(raw.get("memory_reserved"))
    return Node(
        name=str(raw["name"]),
        address=str(raw.get("address") or ""),
        virt_type=str(raw.get("virt_type") or ""),
        description=str(raw.get("description") or ""),
        memory=memory,
        reserved=kept if kept is not None else default_reserved(memory or 0),
    )


def _read_pool(raw: _Raw) -> Pool:
    return Pool(
        name=str(raw["name"]),
        type=str(raw.get("type") or ""),
        shared=bool(raw.get("shared")) or raw.get("type") in NETWORKED,
        path=str(raw.get("path") or ""),
        description=str(raw.get("description") or ""),
        on=tuple(PoolOnNode(node=str(node)) for node in raw.get("nodes") or ()),
    )


def _read_switch(raw: _Raw, groups: Sequence[_Raw]) -> Switch:
    name = str(raw["name"])
    uplinks = tuple(Uplink(name=str(uplink)) for uplink in raw.get("uplinks") or ())
    return Switch(
        name=name,
        bond_mode=str(raw.get("bond_mode") or "") if len(uplinks) > 1 else "",
        description=str(raw.get("description") or ""),
        on=tuple(SwitchOnNode(node=str(node), uplinks=uplinks) for node in raw.get("nodes") or ()),
        port_groups=tuple(
            PortGroup(name=str(one["name"]), vlan=one.get("vlan")) for one in groups if one.get("vswitch") == name
        ),
    )


def _read_image(raw: _Raw, pools: Sequence[Pool], instances: Sequence[Instance]) -> Image:
    name, declared = str(raw["name"]), {str(pool) for pool in raw.get("pools") or ()}
    copies: list[Copy] = []
    for pool in pools:
        if pool.name in declared:
            places = [None] if pool.shared else [on.node for on in pool.on]
            copies += [Copy(pool=pool.name, node=place) for place in places]
    return Image(
        name=name,
        kind=str(raw.get("kind") or "disk"),
        format=str(raw.get("format") or ""),
        description=str(raw.get("description") or ""),
        used_by=sum(name in (instance.image, *instance.discs) for instance in instances),
        copies=tuple(copies),
    )


def _read_instance(raw: _Raw) -> Instance:
    power = str(raw.get("power") or ("" if raw.get("adopt") else "running"))
    root = raw.get("root")
    volumes = [*([{"name": "root", **root}] if root else ()), *(raw.get("volumes") or ())]
    return Instance(
        name=str(raw["name"]),
        # What is adopted is as it is, unless that is said.
        power=power or "unknown",
        declared=power or None,
        node=raw.get("node"),
        organization=str(raw.get("organization") or ""),
        type=str(raw.get("type") or "qemu"),
        vcpus=int(raw.get("vcpus") or 0),
        memory=size_mib(raw.get("memory")) or 0,
        image=str(raw.get("image") or ""),
        discs=tuple(str(one["image"]) for one in raw.get("cdroms") or () if one.get("image")),
        flavor=str(raw.get("flavor") or ""),
        description=str(raw.get("description") or ""),
        tags=tuple(str(tag) for tag in raw.get("tags") or ()),
        disks=tuple(
            Disk(name=str(one.get("name") or ""), pool=str(one.get("pool") or ""), size=size_mib(one.get("size")))
            for one in volumes
        ),
        nics=read_nics(raw.get("nics") or ()),
    )


def read_nics(raws: Sequence[_Raw]) -> tuple[Nic, ...]:
    """Return an instance's NICs, which the document and the modules write alike."""
    return tuple(
        Nic(
            port_group=str(raw.get("port_group") or ""),
            addresses=tuple(str(address).partition("/")[0] for address in raw.get("addresses") or ()),
            is_switched=not (raw.get("sr_iov") or raw.get("function")),
        )
        for raw in raws
    )


def _read_volume(raw: _Raw) -> Volume:
    return Volume(
        name=str(raw["name"]),
        pool=str(raw.get("pool") or ""),
        node=raw.get("node"),
        size=size_mib(raw.get("size")),
        attached_to=str(raw.get("attached_to") or ""),
    )


def size_mib(value: object) -> int | None:
    """Return a size of the document in MiB."""
    return value if isinstance(value, int) else parse_size_mib(value)[0]
