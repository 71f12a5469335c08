# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances, as results for people and programs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._model.errors import Problem
from ..._model.ids import uuid_of
from ..._model.protection import is_protected
from ..._model.rows import Row
from .definition import DomainModel
from .element import make_element
from .figures import describe_figures
from .lifetimes import describe_lifetime
from .plan.state import Domain, named_nics
from .rows import without_secrets
from .walk import OPTIONS


def describe_instance(
    row: Row,
    domain: Domain | None,
    down: Mapping[str, Problem],
    named: Mapping[str, str],
    datacenter: str | None = None,
    figures: Mapping[str, Mapping[str, Any]] | None = None,
    interfaces: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    now: float | None = None,
    *,
    is_outline: bool = False,
) -> dict[str, Any]:
    """down says which nodes do not answer, by name; named is by the identifier: clusters, organizations, nodes.
    datacenter: the name of the cluster's. figures: by UUID, where they were asked for.
    interfaces: what guests say of theirs, by UUID, likewise. now: in seconds since 1970. is_outline: without what
    aspects and devices are, for which each definition would be read as a whole.
    """
    home = named.get(row.attributes.get("node", ""))
    item: dict[str, Any] = {
        "id": row.id,
        "name": row.name,
        "uuid": uuid_of(row.id),
        "cluster": named.get(row.scope),
        "datacenter": datacenter,
        "organization": named.get(row.attributes.get("organization", "")),
        "node": domain.node if domain else home,
        "protected": is_protected(row) or (domain is not None and domain.config.labels.protected),
        "power": domain.power if domain else "unknown" if home in down else "undefined",
    }
    if domain is None:
        return item
    model = domain.config
    if figures is not None:
        stats = figures.get(model.uuid)
        is_told = stats is not None and domain.live is not None
        item["figures"] = describe_figures(stats or {}, domain.live or model) if is_told else None
    item |= describe_lifetime(model.labels.created, domain.xml, domain.live_xml, now)
    nics = model.labels.nics
    if interfaces is not None:
        item["guest_interfaces"] = _name_nics(interfaces.get(model.uuid), model)
    rows = {disk.name: disk.further for disk in model.disks}
    drives = {drive.serial: drive.further for drive in model.cdroms}
    # Of aspects and kinds of device, as their tables have it: only what the definition says.
    if not is_outline:
        item |= {
            key: _plain(without_secrets(OPTIONS[key].table or {}, value) if isinstance(value, dict) else value)
            for key, value in model.further.items()
        }
    item["element"] = make_element(domain, named.get(row.scope)) if model.labels.adopted and not is_outline else None
    return item | {
        "type": model.type,
        "saved": domain.saved,
        "vcpus": model.vcpus,
        "memory": model.memory,
        "image": model.labels.image,
        "autostart": domain.autostart,
        "description": model.description,
        "tags": list(model.labels.tags),
        "flavor": model.labels.flavor,
        "profiles": list(model.labels.profiles),
        "volumes": [
            {
                "name": volume.name,
                "pool": volume.pool,
                "size": (volume.size or None) if volume.unit is None else None,
                "unit": volume.unit,
                "filesystem": volume.filesystem or None,
                "mountpoint": volume.mountpoint or None,
                **_plain(rows.get(volume.name, {})),
            }
            for volume in model.labels.volumes
        ],
        "cdroms": [
            {"name": label.name, "image": label.image, "pool": label.pool, **_plain(drives.get(label.name, {}))}
            for label in model.labels.cdroms
        ],
        "nics": [
            {
                "name": nics[index].name if index < len(nics) else None,
                "mac": nic.mac,
                "vswitch": nic.network,
                "port_group": nic.port_group,
                "addresses": list(nics[index].addresses) if index < len(nics) else [],
                "sr_iov": nic.sr_iov,
                "function": nic.function,
                **(_plain(nic.further) if model.type == "qemu" else {}),
            }
            for index, nic in enumerate(model.interfaces)
        ],
    }


def _name_nics(interfaces: Sequence[Mapping[str, Any]] | None, model: DomainModel) -> list[dict[str, Any]] | None:
    """Return what a guest says of its interfaces, each with the NIC that it is, by its MAC address."""
    names = {one.mac: label.name for label, one in named_nics(model)}
    return None if interfaces is None else [{**one, "nic": names.get(one["mac"])} for one in interfaces]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
