# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images, as results for people and programs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...._model.names import instance_in, is_of_instance
from ...._model.protection import is_protected
from ...._model.rows import Row, name_of
from ...hierarchy.plan import find_all
from ..spec import image_kind
from ..versions import Version, newest_of, older_of, versions_of
from .carriers import find_blind
from .state import ImageHave, User, is_there, site_of, volumes_of
from .targets import retention_of


def describe_images(names: Sequence[tuple[str | None, str]] | None, have: ImageHave) -> list[dict[str, Any]]:
    """Return images as results. names are (cluster reference or None, name) in the wanted order; None means all."""
    return [_describe(row, have) for row in find_all(names, have.images, have.clusters)]


def _describe(row: Row, have: ImageHave) -> dict[str, Any]:
    newest = newest_of(row)
    return {
        "id": row.id,
        "name": row.name,
        "cluster": name_of(row.scope, have.clusters),
        "kind": image_kind(row.attributes),
        "number": newest.number,
        "origin": row.attributes.get("origin"),
        "sha256": newest.sha256,
        "format": newest.format,
        "architecture": row.attributes.get("architecture"),
        "virtual_size": newest.virtual_size,
        "size": newest.size,
        "description": row.attributes.get("description"),
        "protected": is_protected(row),
        "signed_by": newest.signed_by,
        "retention": retention_of(row),
        "copies": _describe_copies(newest, have),
        "versions": [
            {
                **{key: value for key, value in old.as_dict().items() if key not in ("copies", "signing_key")},
                "copies": _describe_copies(old, have),
            }
            for old in older_of(row)
        ],
    }


def _describe_copies(version: Version, have: ImageHave) -> list[dict[str, Any]]:
    copies = []
    for key in version.copies:
        site = site_of(key, have)
        if site is None:
            continue
        status = "unknown"
        if any(volumes_of(site, node, have) is not None for node in site.through):
            status = "complete" if is_there(version, site, have) else "missing"
        copies.append({"pool": site.pool.name, "node": site.node.name if site.node else None, "status": status})
    return sorted(copies, key=lambda copy: (str(copy["pool"]), str(copy["node"])))


def describe_use(row: Row, have: ImageHave) -> dict[str, Any]:
    """Return who uses an image. unused is None while a node that could tell does not answer."""
    nodes = {node.id: node.name for node in have.nodes}
    instances = [one for one in have.instances if one.scope == row.scope]
    found: dict[tuple[str, str | None, str], dict[str, Any]] = {}
    for one in instances:
        if one.attributes.get("image") == row.name:
            where = nodes.get(one.attributes.get("node", ""))
            found["instance", None, one.name] = _use("instance", one.name, where, None, None)
    for version in versions_of(row):
        for user in have.users.get(version.id, ()):
            owner = user.name if user.kind == "instance" else _owner_of(user.name, have.instances_by_id)
            if owner is not None:
                use = found.setdefault(("instance", None, owner), _use("instance", owner, user.node, None, None))
                use["version"] = version.id
            else:
                # Every node that sees a shared pool tells of its volumes.
                key = ("volume", user.pool, user.name if _is_shared(user, have) else f"{user.name}@{user.node}")
                found.setdefault(key, _use("volume", user.name, user.node, user.pool, version.id))
    used_by = sorted(found.values(), key=lambda use: (use["type"], use["name"], str(use["node"])))
    is_blind = any(find_blind(row, version.copies, have) for version in versions_of(row))
    return {"unused": False if used_by else None if is_blind else True, "used_by": used_by}


def _use(kind: str, name: str, node: str | None, pool: str | None, version: str | None) -> dict[str, Any]:
    return {"type": kind, "name": name, "node": node, "pool": pool, "version": version}


def _owner_of(volume: str, instances: Mapping[str, Row]) -> str | None:
    """Return the name of the instance whose volume it is. instances: by their identifiers."""
    owner = instances.get(instance_in(volume) or "")
    return owner.name if owner is not None and is_of_instance(volume, owner.name, owner.id) else None


def _is_shared(user: User, have: ImageHave) -> bool:
    return any(pool.id in user.pools and pool.attributes["shared"] for pool in have.pools)


def list_users(users: Sequence[User]) -> str:
    shown = sorted({str(user) for user in users})
    return ", ".join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else "")
