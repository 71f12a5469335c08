# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small model of a cluster's nodes: what the planner of volumes sees, and what applying its steps makes of it.

Everything that a node would refuse is an error here: making a volume that is there, attaching what is not there, a
device name that is taken, growing what is smaller already or cannot grow, a form that a pool does not hold. Disks of
instances are real XML. A run can be killed after any step.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.names import find_standalones
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan, Step, Work
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.hierarchy.plan import Hierarchy
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.kinds import KINDS, volume_place
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.attached import (
    Attachment,
    parse_attachments,
    render_attachment,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.definition import VolumeFacts
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.plan import plan_volumes
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.spec import Import, Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.state import (
    ImportFile,
    Shelf,
    User,
    VolumeHave,
)

MIB = 1024**2
GIB = 1024**3
CLUSTER = Row("cls-AAAAAAAAAAAAAAAAAAAAA", "cluster", "mtl-1")
NODES = tuple(Row(f"node-{n * 21}", "node", f"node{n}", CLUSTER.id, {"address": f"10.91.0.1{n}"}) for n in "123")
LOCAL = Row("pool-AAAAAAAAAAAAAAAAAAAAA", "pool", "local", CLUSTER.id, {"type": "directory", "path": "/srv/local"})
SHARED = Row(
    "pool-BBBBBBBBBBBBBBBBBBBBB",
    "pool",
    "shared",
    CLUSTER.id,
    {"type": "directory", "path": "/srv/shared", "shared": True},
)
SAN = Row("pool-CCCCCCCCCCCCCCCCCCCCC", "pool", "san", CLUSTER.id, {"type": "iscsi", "shared": True})
CEPH = Row(
    "pool-DDDDDDDDDDDDDDDDDDDDD",
    "pool",
    "vms",
    CLUSTER.id,
    {"type": "rbd", "shared": True, "source": {"monitors": ["10.91.0.11"], "pool": "vms", "user": "pextra-vms"}},
)
LVM = Row("pool-EEEEEEEEEEEEEEEEEEEEE", "pool", "vg0", CLUSTER.id, {"type": "lvm", "source": {}})
ZFS = Row("pool-FFFFFFFFFFFFFFFFFFFFF", "pool", "tank", CLUSTER.id, {"type": "zfs", "source": {}})
WITH_VOLUMES = (LOCAL, SHARED, CEPH, LVM, ZFS)
POOLS = (*WITH_VOLUMES, SAN)
EXTENT = 4 * MIB


class KilledError(Exception):
    """The run was killed on purpose."""


@dataclass
class Guest:
    """An instance. config and live are its definition and what runs, as XML."""

    row: Row
    node: str
    power: str = "running"
    saved: bool = False
    config: ET.Element = field(default_factory=lambda: ET.fromstring("<domain><devices/></domain>"))
    live: ET.Element = field(default_factory=lambda: ET.fromstring("<domain><devices/></domain>"))

    def user(self) -> User:
        config, live = ET.tostring(self.config, encoding="unicode"), ET.tostring(self.live, encoding="unicode")
        is_active = self.power != "stopped"
        attachments = (*parse_attachments(config), *(parse_attachments(live) if is_active else ()))
        return User(
            node=self.node,
            id=self.row.id,
            name=self.row.name,
            uuid=uuid_of(self.row.id),
            power=self.power,
            config=parse_attachments(config),
            live=parse_attachments(live) if is_active else None,
            targets=frozenset({"vda", "vdz", *(one.disk.target for one in attachments)}),
            xml=config,
            saved=self.saved,
        )

    def parts(self, data: Mapping[str, Any], live: bool, config: bool) -> list[ET.Element]:
        assert data["node"] == self.node
        found = [self.config] if config else []
        if live:
            assert self.power != "stopped"
            found.append(self.live)
        return [part.find("devices") for part in found]  # type: ignore[misc]


@dataclass
class Model:
    """volumes: by (pool, node or empty). answering: the nodes that do. pools: those that are registered and active.

    foreign: files that domains of somebody else have, by node.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    guests: dict[str, Guest] = field(default_factory=dict)
    volumes: dict[tuple[str, str], dict[str, VolumeFacts]] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=lambda: {node.name: {} for node in NODES})
    files: dict[Import, ImportFile] = field(default_factory=dict)
    answering: set[str] = field(default_factory=lambda: {node.name for node in NODES})
    free: int = 100 * GIB
    pools: tuple[Row, ...] = WITH_VOLUMES
    foreign: dict[str, frozenset[str]] = field(default_factory=dict)
    unseen: dict[str, Problem] = field(default_factory=dict)

    def add_guest(self, name: str, node: str, power: str = "running") -> Guest:
        node_id = next(row.id for row in NODES if row.name == node)
        row = Row(f"inst-{(name * 21)[:21]}", "instance", name, CLUSTER.id, {"node": node_id})
        self.rows[row.id] = row
        self.guests[name] = Guest(row, node, power)
        return self.guests[name]

    def have(self) -> VolumeHave:
        shelves = {}
        shown = sorted(self.answering)
        for pool in self.pools:
            for node in shown[:1] if pool.attributes.get("shared") else shown:
                key = (pool.id, "" if pool.attributes.get("shared") else node)
                if pool.id not in self.unseen:
                    shelves[key] = Shelf(pool, node, self.free, dict(self.volumes.get(key, {})))
        guests = [guest for guest in self.guests.values() if guest.node in self.answering]
        mentioned: dict[str, frozenset[str]] = {node: frozenset() for node in shown}
        for guest in guests:
            text = ET.tostring(guest.config, encoding="unicode") + ET.tostring(guest.live, encoding="unicode")
            mentioned[guest.node] |= find_standalones(text)
        strange = {node: files for node, files in self.foreign.items() if node in shown}
        for node, files in strange.items():
            mentioned[node] |= files
        return VolumeHave(
            hierarchy=Hierarchy(clusters=(CLUSTER,), members=(*NODES, *self.pools, SAN, *self.rows.values())),
            shelves=shelves,
            users=tuple(guest.user() for guest in guests),
            active={node: frozenset(pool.name for pool in self.pools) for node in shown},
            mentioned=mentioned,
            strange=strange,
            labels={node: dict(self.labels[node]) for node in shown},
            files=self.files,
            down={
                node.name: Problem("does not answer", "Check it.", node.name)
                for node in NODES
                if node.name not in self.answering
            },
            unseen=self.unseen,
        )

    def plan(self, *wants: Volume, purge: bool = False) -> Plan:
        return plan_volumes(wants, self.have(), purge=purge)

    def converge(
        self, *wants: Volume, kill_after: int | None = None, purge: bool = False, backwards: bool = False
    ) -> Plan:
        """Apply a plan, and expect the next one to be empty. kill_after: so many steps are done, then none.

        backwards: of works that nothing orders, the last is first.
        """
        plan = self.plan(*wants, purge=purge)
        assert not plan.refusals, plan.refusals
        assert not plan.failures, plan.failures
        assert all(work.changes or work.kind != "volume" for work in plan.effective), "a change that names no option"
        done = 0
        for work in plan.all:  # reserve
            for step in work.steps:
                if step.act == "register":
                    self.rows[step.data["row"].id] = step.data["row"]
        for work in _in_turn(plan, backwards=backwards):
            for step in work.steps:
                if kill_after is not None and done >= kill_after:
                    raise KilledError
                self.apply(step)
                done += 1
        again = self.plan(*wants, purge=purge)
        assert again.is_empty, [step for work in again.effective for step in work.steps]
        return plan

    def volume(self, name: str) -> VolumeFacts:
        """Return the only volume of a name."""
        (found,) = [
            facts
            for shelf in self.volumes.values()
            for facts in shelf.values()
            if facts.name.startswith(f"{name}.vol-")
        ]
        return found

    def row(self, name: str) -> Row:
        (found,) = [row for row in self.rows.values() if (row.kind, row.name) == ("volume", name)]
        return found

    def replace_pool(self, old: Row, *new: Row) -> None:
        """Let a pool be registered no more, and others in its place show what is in it."""
        self.pools = (*(pool for pool in self.pools if pool != old), *new)
        for key in [key for key in self.volumes if key[0] == old.id]:
            volumes = self.volumes.pop(key)
            self.volumes |= {(pool.id, key[1]): dict(volumes) for pool in new}

    # Steps

    def apply(self, step: Step) -> None:
        getattr(self, f"_{step.act}")(step.data)

    def _shelf(self, row: Row, node: str) -> dict[str, VolumeFacts]:
        return self.volumes.setdefault((row.id, "" if row.attributes.get("shared") else node), {})

    def _guest(self, data: Mapping[str, Any]) -> Guest:
        return next(guest for guest in self.guests.values() if uuid_of(guest.row.id) == data["uuid"])

    def _register(self, data: Mapping[str, Any]) -> None:
        pass

    def _settle(self, data: Mapping[str, Any]) -> None:
        self.rows[data["row"].id] = data["row"]

    def _unregister(self, data: Mapping[str, Any]) -> None:
        del self.rows[data["id"]]

    def _label(self, data: Mapping[str, Any]) -> None:
        for key, text in data["labels"].items():
            if text is None:
                del self.labels[data["node"]][key]
            else:
                self.labels[data["node"]][key] = text

    def _create(self, data: Mapping[str, Any]) -> None:
        shelf, kind = self._shelf(data["pool"], data["node"]), KINDS[data["pool"].attributes["type"]]
        size = data["size"] if data["pool"] != LVM else -(-data["size"] // EXTENT) * EXTENT
        assert data["format"] in (*kind.formats, *(("vmdk", "vdi") if kind.disk == "file" else ()))
        assert ("thick" if data["thick"] else "thin") in kind.provisioning
        shelf[data["volume"]] = VolumeFacts(
            name=data["volume"],
            format=data["format"],
            capacity=size,
            allocation=data["size"] if data["thick"] else 0,
        )

    def _link(self, data: Mapping[str, Any]) -> None:
        shelf = self._shelf(data["pool"], data["node"])
        assert KINDS[data["pool"].attributes["type"]].clone is not None
        # A clone within Ceph has the size of what it is a clone of.
        size = shelf[data["source"]].capacity if data["pool"] == CEPH else data["size"]
        self._create({**data, "size": size})
        shelf[data["volume"]] = replace(shelf[data["volume"]], backing=f"somewhere/{data['source']}")

    def _clone(self, data: Mapping[str, Any]) -> None:
        running = [one.disk.volume for guest in self.guests.values() for one in guest.user().live or ()]
        assert data["source"] not in running, "a copy of what a guest is writing"
        source = self._shelf(data["source_pool"], data["node"])[data["source"]]
        assert source.format == data["source_format"]
        kinds = [KINDS[data[key].attributes["type"]] for key in ("source_pool", "pool")]
        if data["way"] == "coordinator":
            assert source.format == data["format"] == "raw"
        elif data["way"] == "ceph":
            assert data["source_pool"] == data["pool"] == CEPH
        else:
            assert [kind.disk for kind in kinds] == ["file", "file"] or data["source_pool"] == data["pool"] == LVM
        # Neither qemu-img nor Ceph gives a copy another size than that of what it copies.
        is_exact = data["way"] != "coordinator" and kinds[1].grows
        self._create({**data, "size": source.capacity if is_exact else max(data["size"], source.capacity)})

    def _fill(self, data: Mapping[str, Any]) -> None:
        found = next(file for one, file in self.files.items() if one.path == data["path"])
        assert data["file_format"] in ("raw", "qcow2")
        assert not found.unreadable
        assert data["size"] >= found.virtual_size
        assert KINDS[data["pool"].attributes["type"]].disk != "file"
        self._create(data)

    def _upload(self, data: Mapping[str, Any]) -> None:
        found = next(file for one, file in self.files.items() if one.path == data["path"])
        volume_format = data["volume"].rsplit(".", 1)[1]
        self._create({**data, "format": volume_format, "size": found.virtual_size, "thick": False})

    def _convert(self, data: Mapping[str, Any]) -> None:
        self._clone(data)
        self._delete({**data, "volume": data["source"]})

    def _grow(self, data: Mapping[str, Any]) -> None:
        shelf = self._shelf(data["pool"], data["node"])
        facts = shelf[data["volume"]]
        assert data["size"] >= facts.capacity
        assert KINDS[data["pool"].attributes["type"]].grows
        shelf[data["volume"]] = replace(
            facts, capacity=data["size"], allocation=data["size"] if data["thick"] else facts.allocation
        )

    def _grow_live(self, data: Mapping[str, Any]) -> None:
        assert data["target"] in {one.disk.target for one in self._guest(data).user().live or ()}
        self._grow(data)

    def _shrink(self, data: Mapping[str, Any]) -> None:
        assert KINDS[data["pool"].attributes["type"]].grows
        shelf = self._shelf(data["pool"], data["node"])
        shelf[data["volume"]] = replace(shelf[data["volume"]], capacity=data["size"])

    def _verify(self, data: Mapping[str, Any]) -> None:
        facts = self._shelf(data["pool"], data["node"])[data["volume"]]
        assert facts.format == data["format"]
        assert 0 <= facts.capacity - data["size"] < (EXTENT if data["pool"] == LVM else 1)
        assert (facts.backing is not None) is data["backing"]

    def _delete(self, data: Mapping[str, Any]) -> None:
        shelf = self._shelf(data["pool"], data["node"])
        assert data["volume"] not in {facts.backing_volume for facts in shelf.values()}
        shelf.pop(data["volume"], None)

    def _attach(self, data: Mapping[str, Any]) -> None:
        attachment: Attachment = data["attachment"]
        guest = self._guest(data)
        pool = next(pool for pool in WITH_VOLUMES if _directory(pool) == attachment.disk.path.rpartition("/")[0])
        assert attachment.disk.volume in self._shelf(pool, guest.node)
        for devices in guest.parts(data, data["live"], data["config"]):
            taken = {element.get("dev") for element in devices.iter("target")}
            assert attachment.disk.target not in taken
            devices.append(ET.fromstring(render_attachment(attachment)))

    def _detach(self, data: Mapping[str, Any]) -> None:
        for devices in self._guest(data).parts(data, data["live"], not data["live"]):
            (element,) = [
                disk
                for disk in devices.findall("disk")
                if data["attachment"].disk.path in disk.find("source").attrib.values()  # type: ignore[union-attr]
            ]
            devices.remove(element)

    def _edit(self, data: Mapping[str, Any]) -> None:
        new = ET.fromstring(data["xml"])
        (devices,) = self._guest(data).parts(data, live=False, config=True)
        (old,) = [
            disk
            for disk in devices.findall("disk")
            if disk.find("target").get("dev") == new.find("target").get("dev")  # type: ignore[union-attr]
        ]
        devices[list(devices).index(old)] = new

    def _limit(self, data: Mapping[str, Any]) -> None:
        (devices,) = self._guest(data).parts(data, live=True, config=False)
        for disk in devices.findall("disk"):
            if disk.find("target").get("dev") != data["target"]:  # type: ignore[union-attr]
                continue
            for old in disk.findall("iotune"):
                disk.remove(old)
            tune = ET.SubElement(disk, "iotune")
            for word, value in data["tuning"].items():
                ET.SubElement(tune, word).text = str(value)


def _directory(pool: Row) -> str:
    return volume_place(pool.attributes["type"], pool.name, pool.attributes, "x").rpartition("/")[0]


def _in_turn(plan: Plan, *, backwards: bool) -> Iterator[Work]:
    for stage in (plan.first, plan.works, plan.last):
        left = list(reversed(stage) if backwards else stage)
        while left:
            ready = next(one for one in left if not any(other.key in one.after for other in left if other is not one))
            left.remove(ready)
            yield ready


def acts(plan: Plan) -> list[str]:
    """Return what is done, in order."""
    return [step.act for work in plan.all for step in work.steps]


def refusals(plan: Plan) -> Sequence[str]:
    return [problem.what for problem in plan.refusals]
