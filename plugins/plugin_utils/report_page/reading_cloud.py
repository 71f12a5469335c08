# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the living cloud, from what the modules that read have returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.spec import default_reserved

from .health import find_troubles
from .model import (
    Cluster,
    Copy,
    Difference,
    Differences,
    Disk,
    Event,
    Image,
    Instance,
    Node,
    Page,
    Pool,
    PoolOnNode,
    PortGroup,
    Switch,
    SwitchOnNode,
    Trouble,
    Uplink,
    Volume,
)
from .reading_document import read_nics

_Raw = Mapping[str, Any]
# So many resources that suffer alike are named.
_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What was returned: by pextra_deployment_info (cloud), by pextra_image_info (images), by pextra_registry_info
    (events), and by pextra_deployment in a check (check). document: as pextra_deployment_validate returns it. problems:
    what went wrong on the way, as the playbooks note it. Each is None where it was not had.
    """

    document: _Raw
    cloud: _Raw | None = None
    images: Sequence[_Raw] | None = None
    events: Sequence[_Raw] | None = None
    check: _Raw | None = None
    problems: Sequence[_Raw] = field(default_factory=tuple)


def read_cloud(answers: Answers) -> Page:
    """Return the page of what was read of the cloud."""
    cloud = answers.cloud or {}
    declared = _declared_power(answers.document)
    clusters = tuple(_read_cluster(raw, cloud, answers.images or (), declared) for raw in cloud.get("clusters") or ())
    noted = _read_problems(answers.problems)
    if not clusters:
        noted.append(
            Trouble(
                where="the cloud",
                what="nothing of it could be read",
                remedy="See that the first coordinator is up. If the cloud is not made yet, run site.yml.",
            )
        )
    known = {trouble.what for trouble in noted}
    found = [trouble for cluster in clusters for trouble in find_troubles(cluster) if trouble.what not in known]
    return Page(
        deployment=str(answers.document.get("deployment_name") or ""),
        is_live=True,
        clusters=clusters,
        troubles=(*noted, *found),
        differences=None if answers.check is None else _read_check(answers.check, is_whole=not answers.problems),
        events=None if answers.events is None else tuple(_read_event(raw) for raw in answers.events),
    )


def _declared_power(document: _Raw) -> dict[tuple[str, str], str]:
    """Return the declared power state by cluster and name. Of what is adopted it may not be said."""
    told = {}
    for raw in document.get("instances") or ():
        power = raw.get("power") or (None if raw.get("adopt") else "running")
        if raw.get("state", "present") == "present" and power:
            told[str(raw.get("cluster")), str(raw.get("name"))] = str(power)
    return told


def _of(raws: Any, cluster: str) -> list[_Raw]:
    return [raw for raw in raws or () if raw.get("cluster") == cluster]


def _read_cluster(raw: _Raw, cloud: _Raw, images: Sequence[_Raw], declared: Mapping[tuple[str, str], str]) -> Cluster:
    name, datacenter = str(raw["name"]), str(raw.get("datacenter") or "")
    owner: _Raw = next((one for one in cloud.get("datacenters") or () if one.get("name") == datacenter), {})
    return Cluster(
        name=name,
        datacenter=datacenter,
        organization=str(owner.get("organization") or ""),
        description=str(raw.get("description") or ""),
        vcpus_per_thread=float(raw.get("vcpus_per_thread") or 0),
        nodes=tuple(_read_node(one) for one in _of(cloud.get("nodes"), name)),
        switches=tuple(_read_switch(one) for one in _of(cloud.get("vswitches"), name)),
        pools=tuple(_read_pool(one) for one in _of(cloud.get("pools"), name)),
        images=tuple(_read_image(one) for one in _of(images, name)),
        instances=tuple(
            _read_instance(one, declared.get((name, str(one["name"])))) for one in _of(cloud.get("instances"), name)
        ),
        volumes=tuple(_read_volume(one) for one in _of(cloud.get("volumes"), name)),
    )


def _read_node(raw: _Raw) -> Node:
    facts = raw.get("facts") or {}
    memory, kept = facts.get("memory"), raw.get("memory_reserved")
    return Node(
        name=str(raw["name"]),
        address=str(raw.get("address") or ""),
        health=str(raw.get("health") or "unreachable"),
        reason=str(raw.get("reason") or ""),
        virt_type=str(raw.get("virt_type") or ""),
        description=str(raw.get("description") or ""),
        memory=memory,
        reserved=kept if kept is not None else default_reserved(memory or 0),
        threads=facts.get("cores"),
    )


def _read_switch(raw: _Raw) -> Switch:
    declared = [str(uplink) for uplink in raw.get("uplinks") or ()]
    return Switch(
        name=str(raw["name"]),
        bond_mode=str(raw.get("bond_mode") or "") if len(declared) > 1 else "",
        description=str(raw.get("description") or ""),
        on=tuple(
            SwitchOnNode(
                node=str(on["node"]),
                status=str(on.get("status") or "available"),
                reason=str(on.get("reason") or ""),
                uplinks=tuple(
                    Uplink(
                        name=str(uplink["name"]),
                        link=str(uplink.get("link") or "unknown"),
                        active=bool(uplink.get("active")),
                    )
                    for uplink in on.get("uplinks") or ()
                ),
            )
            for on in raw.get("nodes") or ()
        ),
        port_groups=tuple(
            PortGroup(name=str(one["name"]), vlan=one.get("vlan")) for one in raw.get("port_groups") or ()
        ),
    )


def _read_pool(raw: _Raw) -> Pool:
    return Pool(
        name=str(raw["name"]),
        type=str(raw.get("type") or ""),
        shared=bool(raw.get("shared")),
        path=str(raw.get("path") or ""),
        status=str(raw.get("status") or "unknown"),
        description=str(raw.get("description") or ""),
        capacity=raw.get("capacity") or None,
        available=raw.get("available"),
        on=tuple(
            PoolOnNode(
                node=str(on["name"]),
                status=str(on.get("status") or "unknown"),
                error=str(on.get("error") or ""),
                capacity=on.get("capacity") or None,
                available=on.get("available"),
            )
            for on in raw.get("nodes") or ()
        ),
    )


def _read_image(raw: _Raw) -> Image:
    return Image(
        name=str(raw["name"]),
        kind=str(raw.get("kind") or "disk"),
        format=str(raw.get("format") or ""),
        description=str(raw.get("description") or ""),
        number=raw.get("number"),
        size=raw.get("size"),
        virtual_size=raw.get("virtual_size"),
        used_by=len({one.get("name") for one in raw.get("used_by") or () if one.get("type") == "instance"}),
        copies=tuple(
            Copy(pool=str(one["pool"]), node=one.get("node"), status=str(one.get("status") or "unknown"))
            for one in raw.get("copies") or ()
        ),
    )


def _read_instance(raw: _Raw, declared: str | None) -> Instance:
    return Instance(
        name=str(raw["name"]),
        power=str(raw.get("power") or "unknown"),
        node=raw.get("node"),
        declared=declared,
        organization=str(raw.get("organization") or ""),
        type=str(raw.get("type") or "qemu"),
        vcpus=int(raw.get("vcpus") or 0),
        memory=int(raw.get("memory") or 0),
        image=str(raw.get("image") or ""),
        flavor=str(raw.get("flavor") or ""),
        description=str(raw.get("description") or ""),
        started=str(raw.get("started") or ""),
        tags=tuple(str(tag) for tag in raw.get("tags") or ()),
        disks=tuple(
            Disk(name=str(one.get("name") or ""), pool=str(one.get("pool") or ""), size=one.get("size"))
            for one in raw.get("volumes") or ()
        ),
        nics=read_nics(raw.get("nics") or ()),
    )


def _read_volume(raw: _Raw) -> Volume:
    return Volume(
        name=str(raw["name"]),
        pool=str(raw.get("pool") or ""),
        node=raw.get("node"),
        size=raw.get("size"),
        status=str(raw.get("status") or "unknown"),
        attached_to=str(raw.get("attached_to") or ""),
    )


def _read_problems(raws: Sequence[_Raw]) -> list[Trouble]:
    """Return what went wrong. What many suffer from is told once: of a node that is off everything on it says so."""
    suffering: dict[tuple[str, str, str], list[str]] = {}
    for raw in raws:
        node, what, remedy = (str(raw.get(key) or "") for key in ("node", "what", "remedy"))
        suffering.setdefault((node, what, remedy), []).append(str(raw.get("resource") or ""))
    told = []
    for (node, what, remedy), resources in suffering.items():
        named = [resource for resource in resources if resource]
        shown = ", ".join(named[:_NAMED]) + (f" and {len(named) - _NAMED:,} more" if len(named) > _NAMED else "")
        told.append(Trouble(where=": ".join(part for part in (node, shown) if part), what=what, remedy=remedy))
    return told


def _read_check(raw: _Raw, *, is_whole: bool) -> Differences:
    def split(text: object) -> tuple[str, ...]:
        return tuple(line for line in str(text or "").splitlines() if line)

    pending = []
    for one in raw.get("pending") or ():
        where = f" on {one['node']}" if one.get("node") else ""
        pending.append(f"{one.get('kind')} {one.get('name')}{where}: {one['option']} waits for a restart")
    return Differences(
        actions=tuple(str(action) for action in raw.get("actions") or ()),
        pending=tuple(pending),
        values=tuple(
            Difference(
                where=str(one.get("after_header") or one.get("before_header") or ""),
                before=split(one.get("before")),
                after=split(one.get("after")),
            )
            for one in raw.get("diff") or ()
        ),
        is_complete=is_whole and not raw.get("unknown") and not raw.get("failed"),
    )


def _read_event(raw: _Raw) -> Event:
    return Event(
        at=float(raw.get("at") or 0),
        actor=str(raw.get("actor") or ""),
        kind=str(raw.get("kind") or ""),
        name=str(raw.get("name") or ""),
        what=str(raw.get("what") or ""),
        outcome=str(raw.get("outcome") or ""),
        node=str(raw.get("node") or ""),
        run=str(raw.get("run") or ""),
    )
