# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small model of a cluster's nodes: what the instance planner sees, and what applying its steps makes of it.

Definitions are real XML, so rendering, parsing and editing take part. Everything that a node would refuse is an
error here: making a volume that is there, starting without a volume, a name of a disk that is in use. A step is
applied in parts, as a killed run would leave it.
"""

from __future__ import annotations

import copy
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import mac_of, uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan, Step, Work
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.hierarchy.plan import Hierarchy
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance import walk
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.acts import (
    AttachDevice,
    Describe,
    LimitContainer,
    PinVcpus,
    ResizeMemory,
    SetVcpus,
    UpdateDevice,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.adoption import list_places
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.cloud_init import Seed
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import (
    Disk,
    DomainModel,
    parse_domain,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_writing import (
    edit_domain,
    label_domain,
    move_screen,
    render_domain,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.memory_room import memory_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.node_devices import (
    NodeDevice,
    list_given,
    name_of_source,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.placement import NOTHING, Capacity, Size
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.planning import plan_vms
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import (
    Consent,
    Domain,
    NodeState,
    Stranger,
    VmHave,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm, complete_new
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.kinds import KINDS, volume_place

ROOT_ORGANIZATION = Row("org-AAAAAAAAAAAAAAAAAAAAA", "organization", "acme", "", {"root": True})
OTHER_ORGANIZATION = Row("org-BBBBBBBBBBBBBBBBBBBBB", "organization", "umbrella")
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
CEPH = Row(
    "pool-CCCCCCCCCCCCCCCCCCCCC",
    "pool",
    "ceph",
    CLUSTER.id,
    {
        "type": "rbd",
        "path": None,
        "shared": True,
        "source": {"pool": "vms", "monitors": ["192.0.2.1"], "user": "pextra"},
    },
)
VG0 = Row("pool-DDDDDDDDDDDDDDDDDDDDD", "pool", "vg0", CLUSTER.id, {"type": "lvm", "path": None, "shared": False})
TANK = Row("pool-EEEEEEEEEEEEEEEEEEEEE", "pool", "tank", CLUSTER.id, {"type": "zfs", "path": None, "shared": False})
TARGET = {"host": "192.0.2.9", "target": "iqn.2026-01.com.example:san"}
SAN = Row(
    "pool-FFFFFFFFFFFFFFFFFFFFF",
    "pool",
    "san",
    CLUSTER.id,
    {"type": "iscsi", "path": None, "shared": True, "source": TARGET},
)
POOLS = {row.name: row for row in (LOCAL, SHARED, CEPH, VG0, TANK, SAN)}
UNITS = ("unit:0:0:1", "unit:0:0:2", "unit:0:0:3")
EVERYWHERE = [
    f"{SHARED.id}/",
    f"{CEPH.id}/",
    *(f"{pool.id}/{row.id}" for pool in (LOCAL, VG0, TANK) for row in NODES),
]
TINY = Row(
    "img-AAAAAAAAAAAAAAAAAAAAA",
    "image",
    "tiny",
    CLUSTER.id,
    {"format": "qcow2", "virtual_size": 64 * 1024**2, "copies": EVERYWHERE},
)
HUGE = Row(
    "img-BBBBBBBBBBBBBBBBBBBBB",
    "image",
    "huge",
    CLUSTER.id,
    {"format": "raw", "virtual_size": 2048 * 1024**2, "copies": EVERYWHERE},
)
# Of kind iso.
DISC, RESCUE = (
    Row(
        f"img-{letter * 21}",
        "image",
        name,
        CLUSTER.id,
        {"kind": "iso", "format": "raw", "virtual_size": 2 * 1024**2, "copies": EVERYWHERE},
    )
    for letter, name in (("D", "disc"), ("R", "rescue"))
)
# The files of a container.
FILES = Row(
    "img-CCCCCCCCCCCCCCCCCCCCC",
    "image",
    "files",
    CLUSTER.id,
    {"format": "tar", "virtual_size": 2 * 1024**2, "copies": EVERYWHERE},
)
VSWITCHES = tuple(Row(f"vsw-{n * 21}", "vswitch", f"svswitch{n}", CLUSTER.id) for n in "12")
PORT_GROUPS = (
    Row("pg-AAAAAAAAAAAAAAAAAAAAA", "port_group", "Production", CLUSTER.id, {"vswitch": VSWITCHES[0].id}),
    Row("pg-BBBBBBBBBBBBBBBBBBBBB", "port_group", "DMZ", CLUSTER.id, {"vswitch": VSWITCHES[0].id}),
    Row("pg-CCCCCCCCCCCCCCCCCCCCC", "port_group", "Backup", CLUSTER.id, {"vswitch": VSWITCHES[1].id}),
)
COPIES = {
    "img-AAAAAAAAAAAAAAAAAAAAA.qcow2": "tiny",
    "img-BBBBBBBBBBBBBBBBBBBBB.raw": "huge",
    "img-CCCCCCCCCCCCCCCCCCCCC.raw": "files",
}
RAW_COPIES = {"img-AAAAAAAAAAAAAAAAAAAAA.raw": "tiny", "img-BBBBBBBBBBBBBBBBBBBBB.raw": "huge"}
ISOS = {f"{DISC.id}.raw": "disc", f"{RESCUE.id}.raw": "rescue"}
UNFINISHED = ("half written", "half filled")


def whole(**values: Any) -> Vm:
    """Return an instance as a document states it: what is not said is what a new one gets."""
    return complete_new(Vm(**values))


class ImpossibleError(AssertionError):
    """A node would have refused this."""


@dataclass
class Volume:
    """content tells one making from another: data is lost when it changes."""

    size: int
    content: str


@dataclass
class Guest:
    """A domain. live is what the running guest has; it was given the definition when it started."""

    xml: str
    live: DomainModel | None = None
    live_xml: str | None = None
    power: str = "stopped"
    autostart: bool = False
    persistent: bool = True
    # What was saved of its memory goes with these devices.
    saved: DomainModel | None = None
    # Its watchdog has paused it, and is at rest since then.
    hangs: bool = False
    # It is off because its QEMU ended by itself, which libvirt remembers until its next start.
    has_crashed: bool = False
    # It takes memory that is plugged, and gives none back.
    keeps_memory: bool = False
    # It lets go of no device.
    keeps_devices: bool = False

    @property
    def config(self) -> DomainModel:
        model = parse_domain(self.xml)
        assert model is not None
        return model


@dataclass
class Node:
    memory: int = 8192
    virt_type: str = "qemu"
    threads: int | None = None
    architecture: str = "x86_64"
    networks: set[str] = field(default_factory=lambda: {"svswitch1", "svswitch2"})
    pools: dict[str, dict[str, Volume]] = field(default_factory=dict)
    guests: dict[str, Guest] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    # Those that are not ours and may be adopted, by UUID.
    strangers: dict[str, Guest] = field(default_factory=dict)
    # What those that are not ours use.
    foreign_size: Size = NOTHING
    userspace: set[str] = field(default_factory=set)
    containers: bool = False
    # What it can do for machines of other architectures.
    emulates: dict[str, frozenset[str]] = field(default_factory=dict)
    devices: tuple[NodeDevice, ...] | None = None
    # Devices of those that are not ours.
    lent: dict[str, str] = field(default_factory=dict)


@dataclass
class Model:
    """Three nodes, each with the pools `local`, `vg0` and `tank`, all with `shared`, `ceph` and `san`; both images are
    everywhere but on the target.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    members: list[Row] = field(
        default_factory=lambda: [*NODES, *POOLS.values(), TINY, HUGE, FILES, DISC, RESCUE, *VSWITCHES, *PORT_GROUPS]
    )
    down: dict[str, Problem] = field(default_factory=dict)
    made: int = 0
    seeds: dict[str, Seed] = field(default_factory=dict)
    cluster: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def fresh(cls) -> Model:
        shared = {
            "shared": _copies(COPIES | ISOS),
            "ceph": _copies(RAW_COPIES | ISOS),
            "san": _copies(dict.fromkeys(UNITS, "theirs")),
        }
        own = {"local": COPIES | ISOS, "vg0": RAW_COPIES | ISOS, "tank": RAW_COPIES | ISOS}
        nodes = {
            row.name: Node(pools={**{name: _copies(copies) for name, copies in own.items()}, **shared}) for row in NODES
        }
        return cls(nodes)

    def copy(self) -> Model:
        # Deep copies keep what is shared shared.
        return copy.deepcopy(self)

    # What the planner sees

    @property
    def have(self) -> VmHave:
        states: dict[str, NodeState] = {}
        domains: dict[str, list[Domain]] = {}
        for row in NODES:
            if row.name in self.down:
                continue
            node = self.nodes[row.name]
            capacity = Capacity(node.memory, threads=node.threads)
            capacity.take(node.foreign_size, runs=True)
            for uuid, guest in node.guests.items():
                config = guest.config
                domain = Domain(
                    row.name,
                    config,
                    guest.live,
                    guest.power,
                    guest.autostart,
                    guest.persistent,
                    guest.xml,
                    guest.live_xml,
                    saved=guest.saved is not None,
                    hangs=guest.hangs,
                    has_crashed=guest.has_crashed,
                )
                domains.setdefault(uuid, []).append(domain)
                capacity.take(domain.size, runs=domain.runs)
                if config.labels.anti_affinity:
                    capacity.groups.add(config.labels.anti_affinity)
            volumes = {pool: frozenset(names) for pool, names in node.pools.items()}
            sizes = {
                pool: {name: volume.size * 1024**2 for name, volume in names.items()}
                for pool, names in node.pools.items()
                if pool in ("vg0", "tank")
            }
            states[row.name] = NodeState(
                row,
                node.virt_type,
                capacity,
                frozenset(node.networks),
                volumes,
                sizes,
                frozenset(node.userspace),
                node.architecture,
                containers=node.containers,
                emulates=node.emulates,
                devices=node.devices,
                lent=dict(node.lent),
            )
        foreign = {
            name: frozenset(self.nodes[name].foreign) | {_name(guest) for guest in self.nodes[name].strangers.values()}
            for name in states
        }
        hierarchy = Hierarchy(
            organizations=(ROOT_ORGANIZATION, OTHER_ORGANIZATION),
            clusters=(replace(CLUSTER, attributes=self.cluster),),
            members=(*self.members, *self.rows.values()),
        )
        have = VmHave(hierarchy, states, domains, foreign, dict(self.down), self.seeds)
        return replace(have, strangers=tuple(self._strangers(have)))

    def _strangers(self, have: VmHave) -> Iterator[Stranger]:
        for name in have.nodes:
            node = self.nodes[name]
            for uuid, guest in node.strangers.items():
                stranger = Stranger(
                    *(name, _name(guest), uuid, guest.power, guest.autostart, guest.persistent, False),
                    *(guest.xml, guest.live_xml),
                )
                sizes = {
                    disk.path: node.pools[pool.name][disk.volume].size * 1024**2
                    for pool, disk in list_places(guest.xml, have, name)
                    if disk.volume in node.pools[pool.name]
                }
                yield replace(stranger, sizes=sizes)

    def find(self, node: str, xml: str, *, runs: bool = False) -> Guest:
        """Let a node have a domain that is not ours."""
        guest = Guest(xml, live_xml=xml if runs else None, power="running" if runs else "stopped")
        self.nodes[node].strangers[ET.fromstring(xml).findtext("uuid", "")] = guest
        return guest

    def plan(self, *wants: Vm, **consent: bool) -> Plan:
        """Plan what a document states, which is whole."""
        return plan_vms([complete_new(want) for want in wants], self.have, Consent(**consent))

    def call(self, *wants: Vm, **consent: bool) -> Plan:
        """Plan what a module call states, which names what it changes and nothing else."""
        return plan_vms(wants, self.have, Consent(**consent))

    # What applying makes of it

    def apply(self, plan: Plan, *, parts: int | None = None) -> int:
        """Apply a plan, or only that many parts of it. Returns how many were applied."""
        done = 0
        for _ in self._parts(plan):
            done += 1
            if done == parts:
                break
        return done

    def converge(self, *wants: Vm, **consent: bool) -> Plan:
        """Plan, apply, and see that nothing is left to do. Returns the plan."""
        plan = self.plan(*wants, **consent)
        assert plan.refusals == (), [str(one) for one in plan.refusals]
        assert plan.failures == ()
        assert all(work.changes for work in plan.effective if work.steps), "a change that names no option"
        self.apply(plan)
        again = self.plan(*wants, **consent)
        assert (again.effective, again.refusals, again.failures) == ((), (), ())
        return plan

    def guest(self, name: str) -> tuple[str, Guest]:
        """Return the node and the guest of a name. It must be on exactly one node."""
        found = [
            (node, guest) for node, state in self.nodes.items() for guest in state.guests.values() if _is(guest, name)
        ]
        assert len(found) == 1, [node for node, _ in found]
        return found[0]

    def volumes(self, node: str, pool: str) -> dict[str, Volume]:
        """Return an instance's volumes by name, without the copies of images."""
        known = {*COPIES, *RAW_COPIES, *ISOS, *UNITS}
        return {name: volume for name, volume in self.nodes[node].pools[pool].items() if name not in known}

    @property
    def state(self) -> dict[str, Any]:
        """All that there is, free of identifiers, for comparing two models."""
        taken: dict[str, Any] = {}
        for name, node in self.nodes.items():
            for guest in node.guests.values():
                taken[f"{name}/{guest.config.name}"] = (
                    _in_order(guest.config),
                    guest.live and _in_order(guest.live),
                    guest.power,
                    guest.autostart,
                    guest.persistent,
                )
            for pool in node.pools:
                taken[f"{name}/{pool}"] = {
                    volume: data.size
                    for volume, data in sorted(self.volumes(name, pool).items())
                    if ".seed-" not in volume
                }
        taken["rows"] = sorted(
            (row.name, row.kind, row.scope, sorted(row.attributes.items())) for row in self.rows.values()
        )
        return {key: self._without_ids(value) for key, value in taken.items()}

    def _without_ids(self, value: Any) -> str:
        ids = {
            guest.config.labels.id: guest.config.name for node in self.nodes.values() for guest in node.guests.values()
        }
        text = str(value)
        for id_, name in (ids | {row.id: row.name for row in self.rows.values()}).items():
            text = text.replace(id_, f"<{name}>").replace(uuid_of(id_), f"<{name}>")
            for index in range(8):
                text = text.replace(mac_of(id_, str(index)), f"<{name} {index}>")
        # The digests follow from the identifier, which the seed names.
        return re.sub(r"seed-[0-9a-f]{12}|[0-9a-f]{64}", "<seed>", text)

    def _parts(self, plan: Plan) -> Iterator[None]:
        registered = [step.data["row"] for work in plan.all for step in work.steps if step.act == "register"]
        if registered:
            self.rows |= {row.id: row for row in registered}
            yield
        for work in plan.all:
            for step in work.steps:
                if step.node is not None:
                    yield from getattr(self, f"_{step.act}")(replace(work, node=step.node), step.data)
                else:
                    yield from getattr(self, f"_{step.act}")(work, step.data)

    def _register(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        assert self.rows[data["row"].id] is not None
        yield from ()

    def _settle(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        self.rows[data["row"].id] = data["row"]
        yield

    def _unregister(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        self.rows.pop(data["id"], None)
        yield

    def _create_volume(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        pool = self._node(work).pools[data["pool"]]
        if data["volume"] in pool:
            raise ImpossibleError(f"{data['volume']} is there already")
        self.made += 1
        pool_type = POOLS[data["pool"]].attributes["type"]
        if data["mode"] == "unpack":
            if data["image_volume"] not in pool or not self._node(work).containers:
                raise ImpossibleError("there is no copy of the image, or nobody to unpack it")
            pool[data["volume"]] = Volume(0, "half filled")
            yield
            pool[data["volume"]].content = f"unpack {self.made}"
            yield
            return
        if data["type"] != pool_type or data["format"] not in KINDS[pool_type].formats:
            raise ImpossibleError(f"a pool of type {pool_type} has no volume of format {data['format']}")
        content = f"{data['mode']} {self.made}"
        if data["mode"] == "empty":
            pool[data["volume"]] = Volume(data["size"], content)
            yield
            return
        images = {copy_: image for image in (TINY, HUGE) for copy_ in COPIES | RAW_COPIES if copy_.startswith(image.id)}
        image = images[data["image_volume"]]
        if data["image_volume"] not in pool or not data["image_volume"].endswith(f".{data['image_format']}"):
            raise ImpossibleError("there is no such copy of the image")
        content += f" of {image.name}"
        size = image.attributes["virtual_size"] // 1024**2
        if data["mode"] == "overlay" and KINDS[pool_type].clone is None:
            raise ImpossibleError(f"a pool of type {pool_type} has no overlays")
        if data["mode"] == "overlay" and pool_type == "directory":
            pool[data["volume"]] = Volume(data["size"], content)
        elif pool_type in ("lvm", "zfs"):
            pool[data["volume"]] = Volume(data["size"], "half filled")
            yield  # it has its name and its size long before its content
            pool[data["volume"]].content = content
        else:
            pool[data["volume"]] = Volume(size, content)
            yield  # copied or cloned, and not grown yet
            pool[data["volume"]].size = max(size, data["size"])
        yield

    def _write_seed(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        pool = self._node(work).pools[data["pool"]]
        pool.pop(data["volume"], None)
        yield
        pool[data["volume"]] = Volume(1, "half written")
        yield
        pool[data["volume"]].content = str(data["files"])
        yield

    def _grow_volume(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        volume = self._node(work).pools[data["pool"]][data["volume"]]
        guest = self._node(work).guests.get(uuid_of(work.id or ""))
        attached = {disk.target: disk for disk in guest.live.disks} if guest is not None and guest.live else {}
        if data["target"] is None:
            if any(disk.volume == data["volume"] for disk in attached.values()):
                raise ImpossibleError("it is in use: growing it behind the guest's back destroys it")
        elif attached[data["target"]].volume != data["volume"]:
            raise ImpossibleError(f"{data['target']} is another disk")
        if volume.size < data["size"] and not KINDS[POOLS[data["pool"]].attributes["type"]].grows:
            raise ImpossibleError(f"libvirt cannot make {data['volume']} larger")
        volume.size = max(volume.size, data["size"])
        yield

    def _delete_volume(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        for node in self.nodes.values():
            for guest in node.guests.values():
                if guest.live and any(disk.volume == data["volume"] for disk in guest.live.disks):
                    raise ImpossibleError(f"{data['volume']} is in use")
        if data["volume"] in UNITS:
            raise ImpossibleError("units are the target's")
        if data["wipe"] is not (data["pool"] == "vg0"):
            raise ImpossibleError("the next volume there would show what this one held")
        self._node(work).pools[data["pool"]].pop(data["volume"], None)
        yield

    def _delete_tree(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        for guest in self._node(work).guests.values():
            if guest.live and any(disk.volume == data["volume"] for disk in guest.live.disks):
                raise ImpossibleError(f"{data['volume']} is in use")
        pool = self._node(work).pools[data["pool"]]
        if data["volume"] in pool:
            pool[data["volume"]].content = "half filled"
            yield  # its files go one by one
        pool.pop(data["volume"], None)
        yield

    def _define(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        model = data["model"]
        xml = render_domain(model, data["virt_type"]) if data["xml"] is None else edit_domain(data["xml"], model)
        self._define_on(self._node(work), xml)
        yield

    def _define_on(self, node: Node, xml: str) -> None:
        guest = Guest(xml)
        config = guest.config
        targets = [disk.target for disk in config.disks] + list(config.other_targets)
        if len(set(targets)) != len(targets):
            raise ImpossibleError(f"two disks have one name: {targets}")
        if config.name in node.foreign:
            raise ImpossibleError(f"the name {config.name} is taken by a machine that is not ours")
        known = node.guests.setdefault(config.uuid, guest)
        known.xml, known.persistent = xml, True

    def _undefine(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        self._undefine_on(self.nodes[data["node"]], data["uuid"])
        yield

    def _undefine_on(self, node: Node, uuid: str) -> None:
        guest = node.guests.get(uuid)
        if guest is None:
            return
        if guest.power == "stopped":
            del node.guests[uuid]
        else:
            guest.persistent = guest.autostart = False

    def _autostart(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        self._guest(work).autostart = data["autostart"]
        yield

    def _start(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        guest = self._guest(work)
        if guest.power == "stopped":
            self._start_guest(self._node(work), guest, "paused" if data["paused"] else "running")
        yield

    def _start_guest(self, node: Node, guest: Guest, power: str) -> None:
        places = {
            volume_place(row.attributes["type"], row.name, row.attributes, ""): name for name, row in POOLS.items()
        }
        config = guest.config
        if guest.saved is not None and replace(guest.saved, labels=config.labels) != config:
            raise ImpossibleError("it goes on with devices that are not its own any more")
        guest.saved, guest.has_crashed = None, False
        for disk in config.disks:
            volume = node.pools.get(places[disk.path.removesuffix(disk.volume)], {}).get(disk.volume)
            if volume is None or volume.content in UNFINISHED:
                raise ImpossibleError(f"{disk.path} is not there")
        if any(
            other.power != "stopped" and config.uuid in state.guests and other is state.guests[config.uuid]
            for state in self.nodes.values()
            for other in state.guests.values()
        ):
            raise ImpossibleError("it runs elsewhere")
        for drive in config.cdroms:
            if drive.path and not any(drive.volume in names for names in node.pools.values()):
                raise ImpossibleError(f"{drive.path} is not there")
        for interface in config.interfaces:
            if interface.network not in node.networks and not interface.function:
                raise ImpossibleError(f"there is no network {interface.network}")
        for device in list_given(guest.xml):
            if any(device in list_given(other.live_xml) for other in node.guests.values()):
                raise ImpossibleError(f"{device} is another's")
        guest.live, guest.live_xml, guest.power = config, guest.xml, power

    def _reset(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        self._active(work).hangs = False
        yield

    def _resume(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        self._active(work).power = "running"
        yield

    def _suspend(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        self._active(work).power = "paused"
        yield

    def _stop(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        guest = self._guest(work)
        if guest.power == "paused":
            raise ImpossibleError("a paused guest does not feel its power button")
        guest.live, guest.live_xml, guest.power = None, None, "stopped"
        if not guest.persistent:
            del self._node(work).guests[uuid_of(work.id or "")]
        yield

    def _attach_nic(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        guest, interface = self._active(work), data["interface"]
        live = _live(guest)
        if interface.mac in [held.mac for held in live.interfaces]:
            raise ImpossibleError(f"{interface.mac} is there")
        if interface.network not in self._node(work).networks:
            raise ImpossibleError(f"there is no network {interface.network}")
        guest.live = replace(live, interfaces=(*live.interfaces, interface))
        yield

    def _detach_nic(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        guest = self._active(work)
        live = _live(guest)
        kept = tuple(held for held in live.interfaces if held.mac != data["interface"].mac)
        if len(kept) == len(live.interfaces):
            raise ImpossibleError(f"{data['interface'].mac} is not there")
        guest.live = replace(live, interfaces=kept)
        yield

    def _update_nic(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        guest, interface = self._active(work), data["interface"]
        live = _live(guest)
        if interface.mac not in [held.mac for held in live.interfaces]:
            raise ImpossibleError(f"{interface.mac} is not there")
        if live.type == "lxc":
            raise ImpossibleError("libvirt changes nothing of a container's NIC")
        at_once = {key: value for key, value in interface.further.items() if key in ("link", "limits")}
        changed = tuple(
            replace(interface, further={**held.further, **at_once}) if held.mac == interface.mac else held
            for held in live.interfaces
        )
        guest.live = replace(live, interfaces=changed)
        yield

    def _replug_nic(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        yield from self._detach_nic(work, data)
        yield from self._attach_nic(work, data)

    def _plug(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        guest, act = self._active(work), data["act"]
        if isinstance(act, Describe):
            guest.live = replace(_live(guest), description=act.description)
            yield
            return
        if isinstance(act, LimitContainer):
            live = _live(guest)
            if live.type != "lxc":
                raise ImpossibleError("it is no container")
            guest.live = replace(live, memory=act.memory or live.memory, vcpus=act.processors or live.vcpus)
            yield
            return
        if isinstance(act, SetVcpus):
            if not _live(guest).vcpus < act.vcpus <= _live(guest).further["vcpus_max"]:
                raise ImpossibleError(f"it has no room for {act.vcpus} virtual CPUs")
            guest.live = replace(_live(guest), vcpus=act.vcpus)
            yield
            return
        root = ET.fromstring(guest.live_xml or "")
        if isinstance(act, PinVcpus):
            for number, threads in act.pins:
                if number >= _live(guest).vcpus:
                    raise ImpossibleError(f"there is no virtual CPU {number}")
                pins = (walk.read(root).get("pinning") or {}).get("each_vcpu", ())
                others = tuple(one for one in pins if one["vcpu"] != number)
                walk.edit(root, {"pinning": {"each_vcpu": (*others, {"vcpu": number, "threads": threads})}})
            guest.live_xml = ET.tostring(root, encoding="unicode")
            pinning = walk.read(root)["pinning"]
            guest.live = replace(_live(guest), further={**_live(guest).further, "pinning": pinning})
            yield
            return
        devices = root.find("devices")
        assert devices is not None
        there = [element for element in devices if _is_alike(element, act.element)]
        if isinstance(act, ResizeMemory):
            devices.remove(there[0])
            devices.append(act.element)
            now, asked = (int(act.element.findtext(f"target/{name}", "0")) for name in ("current", "requested"))
            _set_current(act.element, max(now, asked) if guest.keeps_memory else asked)
        elif isinstance(act, AttachDevice):
            if there:
                raise ImpossibleError(f"there is a {act.device}")
            for other in self._node(work).guests.values():
                if name_of_source(act.element) in list_given(other.live_xml):
                    raise ImpossibleError(f"the {act.device} is another's")
            devices.append(act.element)
        else:
            if guest.keeps_devices:
                return  # asked for, and not done
            if not there:
                raise ImpossibleError(f"there is no {act.device}")
            devices.remove(there[0])
            if isinstance(act, UpdateDevice):
                devices.append(act.element)
        guest.live_xml = ET.tostring(root, encoding="unicode")
        guest.live = replace(_live(guest), memory=memory_of(root), further=walk.read(root))
        yield

    def _attach_disk(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        guest, disk = self._active(work), data["disk"]
        live = _live(guest)
        if disk.target in live.targets:
            raise ImpossibleError(f"{disk.target} is in use")
        if not any(disk.volume in names for names in self._node(work).pools.values()):
            raise ImpossibleError(f"{disk.path} is not there")
        guest.live = replace(live, disks=(*live.disks, disk))
        yield

    def _detach_disk(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        guest, disk = self._active(work), data["disk"]
        live = _live(guest)
        if disk not in live.disks:
            raise ImpossibleError(f"{disk.path} is not attached")
        guest.live = replace(live, disks=tuple(held for held in live.disks if held != disk))
        yield

    def _limit_disk(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        guest, wanted = self._active(work), data["disk"]
        live = _live(guest)
        if wanted.target not in [disk.target for disk in live.disks]:
            raise ImpossibleError(f"{wanted.target} is not there")
        disks = tuple(
            replace(disk, further={**disk.further, "limits": wanted.further["limits"]})
            if disk.target == wanted.target
            else disk
            for disk in live.disks
        )
        guest.live = replace(live, disks=disks)
        yield

    def _change_medium(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        guest, drive = self._active(work), data["drive"]
        live = _live(guest)
        if drive.serial not in [held.serial for held in (*live.cdroms, *live.other_cdroms)]:
            raise ImpossibleError(f"there is no drive {drive.serial}")
        if drive.path and not any(drive.volume in names for names in self._node(work).pools.values()):
            raise ImpossibleError(f"{drive.path} is not there")
        guest.live = replace(
            live,
            **{
                name: tuple(
                    replace(held, path=drive.path, kind=drive.kind, ceph=drive.ceph)
                    if held.serial == drive.serial
                    else held
                    for held in getattr(live, name)
                )
                for name in ("cdroms", "other_cdroms")
            },
        )
        yield

    def _label(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        guest = self._active(work)
        live, named = _live(guest), {label.name for label in data["labels"].cdroms}
        drives = (*live.cdroms, *live.other_cdroms)
        guest.live = replace(
            live,
            labels=data["labels"],
            cdroms=tuple(drive for drive in drives if drive.serial in named),
            other_cdroms=tuple(drive for drive in drives if drive.serial not in named),
        )
        guest.xml = edit_domain(guest.xml, replace(guest.config, labels=data["labels"]))
        yield

    def _adopt(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        node, uuid = self._node(work), uuid_of(work.id or "")
        guest = node.strangers.pop(uuid)
        guest.xml = label_domain(guest.xml, data["labels"])
        if guest.live_xml is not None:
            guest.live_xml = label_domain(guest.live_xml, data["labels"])
            guest.live = parse_domain(guest.live_xml)
        node.guests[uuid] = guest
        yield

    def _move(self, work: Work, data: Mapping[str, Any]) -> Iterator[None]:
        source, target = self._node(work), self.nodes[data["target"]]
        source_address = next(row.attributes["address"] for row in NODES if row.name == work.node)
        guest, uuid = self._guest(work), uuid_of(work.id or "")
        config = edit_domain(data["xml"], data["model"])
        if data["live"] != (guest.power != "stopped"):
            raise ImpossibleError(f"live is {data['live']}, and it is {guest.power}")
        if data["live"]:
            for disk in _live(guest).disks:
                if not any(disk.volume in target.pools.get(pool, {}) for pool in ("shared", "ceph", "san")):
                    raise ImpossibleError(f"{disk.path} is not there")
            for drive in _live(guest).cdroms:
                if drive.path and not any(drive.volume in names for names in target.pools.values()):
                    raise ImpossibleError(f"{drive.path} is not there")
            del source.guests[uuid]
            live, running = guest.live, guest.live_xml or ""
            if data["screen"] is not None:
                running = move_screen(*data["screen"], running)
                live = parse_domain(running)
            elif f'listen="{source_address}"' in running:
                raise ImpossibleError("its screen listens on an address that is not there")
            target.guests[uuid] = Guest(config, live, running, guest.power)
        else:
            self._define_on(target, config)
            yield
            self._undefine_on(source, uuid)
        yield
        target.guests[uuid].autostart = data["autostart"]
        yield

    def _node(self, work: Work) -> Node:
        assert work.node is not None
        return self.nodes[work.node]

    def _guest(self, work: Work) -> Guest:
        try:
            return self._node(work).guests[uuid_of(work.id or "")]
        except KeyError:
            raise ImpossibleError(f"{work.name} is not on {work.node}") from None

    def _active(self, work: Work) -> Guest:
        guest = self._guest(work)
        if guest.power == "stopped":
            raise ImpossibleError(f"{work.name} is stopped")
        return guest


def acts(plan: Plan) -> list[str]:
    """Return the names of the steps of all works."""
    return [step.act for work in plan.all for step in work.steps]


def step_of(plan: Plan, act: str) -> Step:
    """Return the only step of a name."""
    (found,) = (step for work in plan.all for step in work.steps if step.act == act)
    return found


def _is_alike(one: ET.Element, other: ET.Element) -> bool:
    """Tell whether two elements are one device: of these there is one, or each has its own alias."""
    if one.tag != "hostdev" or other.tag != "hostdev":
        return one.tag == other.tag
    names = [alias.get("name") if (alias := each.find("alias")) is not None else None for each in (one, other)]
    return names[0] == names[1]


def _set_current(device: ET.Element, kib: int) -> None:
    """Say, as libvirt does of a running guest, how much of what is plugged it has."""
    target = device.find("target")
    assert target is not None
    now = target.find("current")
    if now is None:
        now = ET.SubElement(target, "current", unit="KiB")
    now.text = str(kib)


def _live(guest: Guest) -> DomainModel:
    assert guest.live is not None
    return guest.live


def _name(guest: Guest) -> str:
    return ET.fromstring(guest.xml).findtext("name", "")


def _is(guest: Guest, name: str) -> bool:
    return guest.config.name == name


def _copies(copies: Mapping[str, str]) -> dict[str, Volume]:
    return {name: Volume(1, image) for name, image in copies.items()}


def _in_order(model: DomainModel) -> DomainModel:
    return replace(model, disks=_sorted(model.disks), cdroms=_sorted(model.cdroms))


def _sorted(disks: Sequence[Disk]) -> tuple[Disk, ...]:
    return tuple(sorted(disks, key=lambda disk: disk.serial))
