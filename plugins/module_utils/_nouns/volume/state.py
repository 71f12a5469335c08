# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there of volumes that live on their own: in the registry, in storage pools, in instances. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from ..._model.errors import Problem
from ..._model.labels import read_labels
from ..._model.names import (
    Standalone,
    instance_in,
    parse_kept,
    standalone_volume,
)
from ..._model.protection import attribute_of, is_protected
from ..._model.rows import Row
from ..hierarchy.plan import Hierarchy
from .attached import Attachment
from .definition import VolumeFacts
from .places import is_shared, kind_of
from .spec import Import, Limits

LABEL = "pextra-volume/"
MIB = 1024**2


@dataclass(frozen=True)
class Shelf:
    """A storage pool as one node sees it. volumes: those of our scheme, by name. available: bytes, 0 if not known.

    doubt: why libvirt did not look at it now, so that what is missing here may be there.
    """

    pool: Row
    node: str
    available: int = 0
    volumes: Mapping[str, VolumeFacts] = field(default_factory=dict)
    doubt: Problem | None = None


@dataclass(frozen=True)
class User:
    """An instance on a node, with its volumes that live on their own. live: None when it is stopped. saved: it goes on
    from what was saved of its memory.

    targets: the device names that are taken, in the definition or in the running guest.
    """

    node: str
    id: str
    name: str
    uuid: str
    power: str
    config: tuple[Attachment, ...] = ()
    live: tuple[Attachment, ...] | None = None
    targets: frozenset[str] = frozenset()
    xml: str = field(repr=False, default="")
    saved: bool = False
    is_container: bool = False


@dataclass(frozen=True)
class ImportFile:
    """A file on the coordinator that was looked at. Sizes are bytes; problems: why it is not to be used.

    unreadable: why it cannot be read block by block, which storage without files needs.
    """

    virtual_size: int = 0
    size: int = 0
    problems: tuple[Problem, ...] = ()
    unreadable: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class VolumeHave:
    """Registry and nodes.

    shelves: by (pool identifier, node name); the node is empty where the pool is shared, as one node tells for all.
    active: names of the pools that are active, by node. mentioned: volumes of our scheme that any domain's definition
    names, ours or not, by node. strange: those of them that the domain has by other means than this module. files: what
    imports begin from. down: why nodes do not answer. unseen: why pools that are active cannot be looked at, by the
    pool's identifier.
    """

    hierarchy: Hierarchy
    shelves: Mapping[tuple[str, str], Shelf] = field(default_factory=dict)
    users: tuple[User, ...] = ()
    active: Mapping[str, frozenset[str]] = field(default_factory=dict)
    mentioned: Mapping[str, frozenset[str]] = field(default_factory=dict)
    strange: Mapping[str, frozenset[str]] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    files: Mapping[Import, ImportFile] = field(default_factory=dict)
    down: Mapping[str, Problem] = field(default_factory=dict)
    unseen: Mapping[str, Problem] = field(default_factory=dict)

    def rows(self, kind: str, cluster_id: str | None = None) -> list[Row]:
        return [row for row in self._by_kind.get(kind, ()) if cluster_id in (None, row.scope)]

    # A cloud has thousands of rows, and every volume refers to some.

    @cached_property
    def _by_kind(self) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for row in self.hierarchy.members:
            found.setdefault(row.kind, []).append(row)
        return found

    def volumes(self, cluster_id: str | None = None) -> list[Row]:
        """Return the volumes that are registered, and those that instances had and have no more."""
        return [*self.rows("volume", cluster_id), *(row for row in self._kept if cluster_id in (None, row.scope))]

    def is_left(self, file: str) -> bool:
        """Tell whether a file is one that an instance had and has no more.

        What is being made belongs to an instance that is registered and not defined yet, or that cannot be seen.
        """
        owner = instance_in(file)
        is_expected = owner in self.by_id and owner not in self._defined
        return owner is not None and not is_expected and file not in self.all_mentioned

    @cached_property
    def all_mentioned(self) -> frozenset[str]:
        return frozenset().union(*self.mentioned.values())

    @cached_property
    def _defined(self) -> frozenset[str]:
        return frozenset(user.id for user in self.users)

    @cached_property
    def _kept(self) -> list[Row]:
        """Volumes that instances had and have no more, as rows that nobody has registered."""
        attached = {one.volume.id for user in self.users for one in (*user.config, *(user.live or ())) if one.volume}
        nodes = {row.name: row.id for row in self._by_kind.get("node", ())}
        found: dict[str, Row] = {}
        for shelf in self.shelves.values():
            for file, facts in sorted(shelf.volumes.items()):
                kept = parse_kept(file)
                if kept is None or kept.id in self.by_id:
                    continue
                if kept.id in attached or self.is_left(file):
                    where = None if is_shared(shelf.pool) else nodes[shelf.node]
                    found[kept.id] = _row_of_kept(kept, file, facts, shelf.pool, where)
        return list(found.values())

    @cached_property
    def by_id(self) -> dict[str, Row]:
        return {row.id: row for row in self.hierarchy.members}


def _row_of_kept(kept: Standalone, file: str, facts: VolumeFacts, pool: Row, node_id: str | None) -> Row:
    backing = facts.backing_volume
    attributes = {
        "pool": pool.id,
        "format": kept.format,
        "provisioning": kind_of(pool).provisioning[0],
        "size": mib(facts.capacity),
        "file": file,
        **({"node": node_id} if node_id is not None else {}),
        **({"origin": {"image": backing}} if backing is not None and backing.startswith("img-") else {}),
    }
    return Row(kept.id, "volume", kept.name, pool.scope, attributes)


@dataclass(frozen=True, kw_only=True)
class Record:
    """A volume as registered. pool is None if its pool is not registered any more, and its file is seen in no other.
    node: its name, None if shared.

    size is MiB as last known. origin: what it was made from (clone, name, mode; or import, format). instance: the
    identifier of the one that has it, written before it is attached and taken back after it was detached. stored_as:
    its name in its pool, if it was an instance's, which is gone; until somebody declares it, it is not registered.
    """

    id: str
    name: str
    cluster: str
    pool: Row | None
    node: str | None
    format: str
    provisioning: str = "thin"
    size: int | None = None
    cache: str = "none"
    discard: str = "unmap"
    limits: Limits = field(default_factory=Limits)
    origin: Mapping[str, str] | None = None
    instance: str | None = None
    description: str | None = None
    protected: bool = False
    unfinished: bool = False
    stored_as: str | None = None
    is_registered: bool = True

    @property
    def file(self) -> str:
        """Its name in its pool."""
        return self.stored_as or standalone_volume(self.name, self.id, self.format)

    @property
    def key(self) -> tuple[str, str]:
        """Its shelf."""
        return (self.pool.id if self.pool else "", self.node or "")

    @property
    def lies_upon(self) -> bool:
        """Whether it shares the blocks of another volume, or of an image."""
        return self.linked_to is not None or "image" in (self.origin or {})

    @property
    def linked_to(self) -> str | None:
        """The identifier of the volume whose blocks it shares."""
        return self.origin["clone"] if self.origin and self.origin.get("mode") == "linked" else None


def read_record(row: Row, have: VolumeHave) -> Record:
    """Return a row of the registry as a record. One whose pool is registered no more is where its file is seen, if that
    is in one place: a pool that was declared again has another identifier.
    """
    kept = row.attributes
    node = have.by_id.get(kept.get("node", ""))
    record = Record(
        id=row.id,
        name=row.name,
        cluster=row.scope,
        pool=have.by_id.get(kept.get("pool", "")),
        node=node.name if node else None,
        format=kept["format"],
        provisioning=kept.get("provisioning", "thin"),
        size=kept.get("size"),
        cache=kept.get("cache", "none"),
        discard=kept.get("discard", "unmap"),
        limits=Limits(**kept.get("limits", {})),
        origin=kept.get("origin"),
        instance=kept.get("instance"),
        description=kept.get("description"),
        protected=is_protected(row),
        unfinished=bool(kept.get("unfinished")),
        stored_as=kept.get("file"),
        is_registered=row.id in have.by_id,
    )
    found = find_places(record, have) if record.pool is None else []
    if len(found) != 1:
        return record
    return replace(record, pool=found[0].pool, node=None if is_shared(found[0].pool) else found[0].node)


def find_places(record: Record, have: VolumeHave) -> list[Shelf]:
    """Return where a file of a volume's name is seen. Its identifier is in the name."""
    return [
        shelf for shelf in have.shelves.values() if shelf.pool.scope == record.cluster and record.file in shelf.volumes
    ]


def has_new_pool(record: Record, have: VolumeHave) -> bool:
    """Tell whether a volume was found in another pool than the one that it is registered in."""
    row = have.by_id.get(record.id)
    return row is not None and record.pool is not None and row.attributes.get("pool") != record.pool.id


def find_protector(record: Record, have: VolumeHave) -> Row | None:
    """Return the protected instance that has had a volume which nobody has declared since; None if there is none."""
    owner = have.by_id.get(instance_in(record.file) or "") if not record.is_registered else None
    return owner if is_protected(owner) else None


def row_of(record: Record, have: VolumeHave) -> Row:
    """Return a record as a row of the registry."""
    node = next((row.id for row in have.rows("node", record.cluster) if row.name == record.node), None)
    attributes: dict[str, Any] = {
        "pool": record.pool.id if record.pool else None,
        "node": node,
        "format": record.format,
        "provisioning": record.provisioning,
        "size": record.size,
        "cache": record.cache,
        "discard": record.discard,
        "limits": _given(record.limits),
        "origin": dict(record.origin) if record.origin else None,
        "instance": record.instance,
        "description": record.description or None,
        # One that is not finished holds nothing: what cannot be made has to be removable.
        **attribute_of(record.protected and not record.unfinished),
        "unfinished": record.unfinished or None,
        "file": record.stored_as,
    }
    kept = {key: value for key, value in attributes.items() if value is not None}
    return Row(record.id, "volume", record.name, record.cluster, kept)


def _given(limits: Limits) -> dict[str, int] | None:
    return {key: value for key, value in asdict(limits).items() if value is not None} or None


# Labels: what nodes carry, so that a lost registry is rebuilt


def label_of(record: Record, have: VolumeHave) -> tuple[str, str]:
    """Return the key and the text of a volume's label. Who has it stands in that instance's definition."""
    row = row_of(replace(record, instance=None), have)
    return f"{LABEL}{record.name}", json.dumps({"id": record.id, **row.attributes}, sort_keys=True)


def find_labelled_nodes(record: Record, have: VolumeHave) -> list[str]:
    """Return the nodes that answer and should carry the label: the volume's own, or all that have its shared pool."""
    if record.pool is None or record.unfinished:
        return []
    if not is_shared(record.pool):
        return [record.node] if record.node is not None and record.node in have.labels else []
    members = {row.name for row in have.rows("node", record.cluster)}
    return sorted(
        name for name in have.labels if name in members and record.pool.name in have.active.get(name, frozenset())
    )


def volumes_from_labels(labels: Mapping[str, str], *, cluster_id: str) -> list[Row]:
    """Return the volumes that a node's labels tell of. Others are passed over."""
    rows = read_labels(labels, LABEL, "volume", cluster_id)
    return [row for row in rows if {"pool", "format"} <= set(row.attributes)]


# Who uses a volume


@dataclass(frozen=True)
class Use:
    """A volume in an instance: in its definition, in the running guest, or in both."""

    user: User
    config: Attachment | None
    live: Attachment | None

    @property
    def any(self) -> Attachment:
        found = self.live or self.config
        if found is None:
            raise ValueError(f"{self.user.name} does not have it")
        return found


def find_uses(users: Iterable[User]) -> dict[str, list[Use]]:
    """Return who has each volume, by its identifier."""
    found: dict[str, list[Use]] = {}
    for user in users:
        config, live = _by_volume(user.config), _by_volume(user.live or ())
        for volume_id in dict.fromkeys([*config, *live]):
            found.setdefault(volume_id, []).append(Use(user, config.get(volume_id), live.get(volume_id)))
    return found


def instance_keys(uses: Iterable[Use]) -> tuple[str, ...]:
    """Return the instances that have a volume, as works name what they touch: a stopped one could be started while the
    volume is worked on.
    """
    return tuple(dict.fromkeys(f"instance {use.user.name}" for use in uses))


def _by_volume(attachments: Iterable[Attachment]) -> dict[str, Attachment]:
    return {one.volume.id: one for one in attachments if one.volume is not None}


def mib(size_bytes: int) -> int:
    """Return whole MiB, rounded up."""
    return -(-size_bytes // MIB)
