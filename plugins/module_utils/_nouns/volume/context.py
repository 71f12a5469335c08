# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the planners of volumes share: references looked up once, and how planning one volume ends early. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..._model.errors import Problem
from ..._model.protection import explain
from ..._model.rows import Row
from ..._model.sizes import show_size
from .definition import VolumeFacts
from .missing import explain_missing
from .state import (
    Record,
    Shelf,
    Use,
    User,
    VolumeHave,
    find_protector,
    find_uses,
    read_record,
)


class RefusedError(Exception):
    """Ends the planning of one volume, before anything is touched."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class FailedError(Exception):
    """Ends the planning of one volume, because of its node: the others go on."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass
class Context:
    """A cluster, with what is the same for all its volumes. What has been planned already is noted here.

    records: by name and by identifier. linked: names of the linked clones, by what they share. taken: device names, by
    instance. space: bytes left, by shelf. attached: names of instances that are to have volumes, by volume. planned:
    names of volumes that this plan makes. sizes: bytes, by volume, where this plan gives another size.
    """

    cluster: Row
    have: VolumeHave
    pools: dict[str, Row] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)
    instances: dict[str, Row] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    uses: Mapping[str, list[Use]] = field(default_factory=dict)
    linked: dict[str, list[str]] = field(default_factory=dict)
    taken: dict[str, set[str]] = field(default_factory=dict)
    space: dict[tuple[str, str], int] = field(default_factory=dict)
    attached: dict[str, str] = field(default_factory=dict)
    planned: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, cluster: Row, have: VolumeHave) -> Context:
        context = cls(cluster, have, uses=find_uses(have.users))
        for row in have.rows("pool", cluster.id):
            context.pools[row.name] = context.pools[row.id] = row
        for row in have.rows("node", cluster.id):
            context.nodes[row.name] = context.nodes[row.id] = row.name
        for row in have.rows("instance", cluster.id):
            context.instances[row.name] = context.instances[row.id] = row
        # After a killed move an instance is defined twice: the one that runs is the one that counts.
        for user in sorted(have.users, key=lambda user: user.power != "stopped"):
            context.users[user.id] = user
            context.taken.setdefault(user.id, set()).update(user.targets)
        for row in have.volumes(cluster.id):
            context.note(read_record(row, have))
        for key, shelf in have.shelves.items():
            context.space[key] = shelf.available
        return context

    def note(self, record: Record) -> None:
        """Let what is planned later see a volume as it will be."""
        self.records[record.name] = self.records[record.id] = record
        if record.linked_to is not None:
            names = self.linked.setdefault(record.linked_to, [])
            if record.name not in names:
                names.append(record.name)

    def forget(self, record: Record) -> None:
        """Let what is planned later see that a volume will be gone."""
        if record.linked_to is not None and record.name in self.linked.get(record.linked_to, ()):
            self.linked[record.linked_to].remove(record.name)
        for key in (record.name, record.id):
            self.records.pop(key, None)

    # References

    def pool(self, reference: str) -> Row:
        row = self.pools.get(reference)
        if row is None or row.attributes.get("deleting"):
            raise RefusedError(f'there is no storage pool "{reference}"', _known("storage pools", self.pools))
        return row

    def node(self, reference: str) -> str:
        name = self.nodes.get(reference)
        if name is None:
            raise RefusedError(f'there is no node "{reference}" in cluster {self.cluster.name}')
        return name

    def user(self, reference: str) -> User:
        """Return an instance as its node has it."""
        row = self.instances.get(reference)
        if row is None:
            raise RefusedError(f'there is no instance "{reference}"', _known("instances", self.instances))
        found = self.users.get(row.id)
        if found is None:
            self.require_answer(row)
            raise RefusedError(
                f"instance {row.name} is defined on no node", "Run the instances stage of site.yml first."
            )
        return found

    def require_answer(self, instance: Row) -> None:
        """An instance that is nowhere may be on a node that does not answer; while it moves, on either of two."""
        for key in ("node", "origin"):
            name = self.nodes.get(instance.attributes.get(key, ""))
            if name is not None and name in self.have.down:
                raise FailedError(self.have.down[name])

    def require_unprotected(self, record: Record, what: str) -> None:
        """Refuse what would destroy data of a volume. One that an instance has had, and that nobody has registered
        since, is protected with the instance.
        """
        if record.protected:
            raise RefusedError(*explain(what))
        owner = find_protector(record, self.have)
        if owner is not None:
            raise RefusedError(
                f"it is of instance {owner.name}: {explain(what)[0]}",
                "Set protected: false of the instance in a run of its own first, or declare the volume: then it is one "
                "on its own.",
            )

    def require_nobody_else(self, record: Record, called: str = "it") -> None:
        """Refuse what would touch the data of a volume that a domain has which is not ours, or has by hand, or that the
        instance whose volume it was has again: whatever reads, writes, or destroys it. called: as messages call it.
        """
        where = sorted(node for node, files in self.have.strange.items() if record.file in files)
        if where:
            raise RefusedError(
                f"a virtual machine on {', '.join(where)} has {called}, by other means than this module",
                "Take it out of there first: two guests on one volume destroy its file system.",
            )

    # Places

    def shelf(self, key: tuple[str, str]) -> Shelf:
        """Return a pool as it is seen. Fails if it cannot be seen."""
        found = self.have.shelves.get(key)
        if found is not None:
            return found
        if key[0] in self.have.unseen:
            raise FailedError(self.have.unseen[key[0]])
        pool, node = self.pools.get(key[0]), key[1]
        if node and node in self.have.down:
            raise FailedError(self.have.down[node])
        where = f"on {node}" if node else "on any node that answers"
        raise FailedError(
            Problem(
                f"storage pool {pool.name if pool else key[0]} is not available {where}",
                "Run the storage stage of site.yml, which says why.",
                node or None,
            )
        )

    def facts(self, record: Record, called: str) -> VolumeFacts:
        """Return what a pool shows of a volume. Fails if it is not there. called: what the message calls it."""
        shelf = self.shelf(record.key)
        found = shelf.volumes.get(record.file)
        if found is not None:
            return found
        if shelf.doubt is not None:
            raise FailedError(shelf.doubt)
        running = [use.user.name for use in self.uses.get(record.id, ()) if use.live is not None]
        runs_in = running[0] if running else None
        raise FailedError(explain_missing(f"{called} ({record.file})", shelf.pool, record.node, runs_in=runs_in))

    def take(self, key: tuple[str, str], needed_bytes: int) -> None:
        """Count space that is going to be used. Refuses what does not fit."""
        shelf = self.have.shelves[key]
        if shelf.available and self.space[key] < needed_bytes:
            raise RefusedError(
                f"storage pool {shelf.pool.name} on {shelf.node} has {_show(self.space[key])} free, and "
                f"{_show(needed_bytes)} are needed",
                "Free space, or choose another storage pool.",
            )
        self.space[key] -= needed_bytes


def require_sound(record: Record, facts: VolumeFacts) -> None:
    """Refuse to let libvirt work on a volume that it takes for something else than was stated.

    libvirt looks into a volume for its format. A guest can write what looks like a qcow2 header, with any file of the
    node as its backing file, into its raw disk: a copy of that would be a copy of the file.
    """
    source = record.origin or {}
    expected = record.lies_upon
    if facts.format == record.format and bool(facts.backing) == expected:
        return
    looks = facts.format + (f" upon {facts.backing}" if facts.backing else "")
    under = f" upon volume {source['name']}" if "name" in source else " upon an image" if expected else ""
    stated = record.format + under
    raise RefusedError(
        f"its content makes libvirt take it for {looks}, and it is {stated}",
        "It was written by a guest that had it. Attaching and detaching are safe: look at it from inside a guest.",
    )


def _known(what: str, rows: Mapping[str, Row]) -> str:
    names = sorted({row.name for row in rows.values()})
    return f"There are the {what} {', '.join(names)}." if names else f"There are no {what} yet."


def _show(size_bytes: int) -> str:
    return show_size(-(-size_bytes // 1024**2)) if size_bytes > 0 else "nothing"
