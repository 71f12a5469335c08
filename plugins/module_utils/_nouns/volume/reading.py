# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what there is of volumes: in bulk, all nodes at once, each shared pool through one of its nodes."""

from __future__ import annotations

import contextlib
import os
import stat
import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ..._cloud import Cloud
from ..._doors.bounded import TooLateError, bounded
from ..._doors.host.blocks import open_disk
from ..._doors.libvirt.domains import DomainRecord
from ..._model.errors import (
    BusyError,
    HypervisorError,
    PextraError,
    Problem,
)
from ..._model.names import find_standalones, instance_in, parse_standalone
from ..._model.rows import Row
from ..hierarchy.plan import Hierarchy
from ..instance.definition import parse_domain
from ..pool.identity import pools_by_node
from ..pool.looking import look_again
from .attached import parse_attachments
from .definition import VolumeFacts, parse_volume
from .forms import BLOCK_FORMATS
from .places import is_shared, kind_of
from .spec import MAX_IMPORT_MIB, Import
from .state import (
    ImportFile,
    Shelf,
    User,
    VolumeHave,
)

_LOOK_TIMEOUT_S = 300.0
_READ_TIMEOUT_S = 10.0
# Inspecting a file takes a moment; one on a dead mount takes for ever.
_FILE_TIMEOUT_S = 30.0


@dataclass
class _SeenNode:
    """available: bytes left in our pools that are active, by name."""

    available: dict[str, int] = field(default_factory=dict)
    users: list[User] = field(default_factory=list)
    mentioned: frozenset[str] = frozenset()
    strange: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)


def read_volumes(cloud: Cloud, hierarchy: Hierarchy, imports: Sequence[Import]) -> VolumeHave:
    """Read registry, pools, instances and labels, and look at the files that imports begin from."""
    nodes = {row.name: row for row in hierarchy.members if row.kind == "node"}
    cloud.connect(nodes)
    pools = pools_by_node((row for row in hierarchy.members if row.kind == "pool"), cloud.registry.associations("pool"))
    seen = cloud.on_each(nodes, lambda name: _read_node(cloud, name, pools.get(nodes[name].id, {})))
    wanted: dict[str, list[Row]] = {}
    for pool in (row for row in hierarchy.members if row.kind == "pool"):
        members = [name for name, row in nodes.items() if row.scope == pool.scope and name in seen]
        having = [name for name in members if pool.name in seen[name].available]
        for name in having[:1] if is_shared(pool) else having:
            wanted.setdefault(name, []).append(pool)
    shelves: dict[tuple[str, str], Shelf] = {}
    unseen: dict[str, Problem] = {}
    users = tuple(user for node in seen.values() for user in node.users)
    mentioned = {name: node.mentioned for name, node in seen.items()}
    have = VolumeHave(hierarchy=hierarchy, users=users, mentioned=mentioned)
    attached = {one.disk.volume for user in users for one in (*user.config, *(user.live or ()))}

    def concerns(volume: str) -> bool:
        return volume in attached or parse_standalone(volume) is not None or have.is_left(volume)

    read = cloud.on_each(wanted, lambda name: _read_shelves(cloud, name, wanted[name], seen[name], concerns))
    if any(have.is_left(file) for seen_there, _ in read.values() for shelf in seen_there for file in shelf.volumes):
        # Another run may have begun to make an instance since.
        begun = [row for row in cloud.registry.rows("instance") if row.id not in have.by_id]
        have = replace(have, hierarchy=replace(hierarchy, members=(*hierarchy.members, *begun)))
    for name, found in read.items():
        unseen |= found[1]
        for shelf in found[0]:
            volumes = {file: facts for file, facts in shelf.volumes.items() if concerns(file)}
            shelves[shelf.pool.id, "" if is_shared(shelf.pool) else name] = replace(shelf, volumes=volumes)
    return VolumeHave(
        hierarchy=hierarchy,
        shelves=shelves,
        users=users,
        active={name: frozenset(node.available) for name, node in seen.items()},
        mentioned=mentioned,
        strange={name: node.strange for name, node in seen.items()},
        labels={name: node.labels for name, node in seen.items()},
        files=_look_at_all(imports),
        down={name: problem for name, problem in cloud.unreachable.items() if name in nodes},
        unseen=unseen,
    )


def _read_node(cloud: Cloud, name: str, pools: Mapping[str, Row]) -> _SeenNode:
    """pools: those of ours on it, by the UUID of libvirt's."""
    hypervisor = cloud.hypervisor(name)
    seen = _SeenNode()
    seen.available = {
        pool.name: pool.available
        for pool in hypervisor.pools()
        if pool.active and pool.uuid in pools and pools[pool.uuid].name == pool.name
    }
    mentioned: set[str] = set()
    strange: set[str] = set()
    for record in cloud.domains(name):
        named = find_standalones(record.config) | find_standalones(record.live or "")
        mentioned |= named
        user = _user_of(name, record)
        strange |= find_strange(named, user, record.config, record.live or "")
        if user is not None:
            seen.users.append(user)
    seen.mentioned, seen.strange = frozenset(mentioned), frozenset(strange)
    seen.labels = cloud.labels(name).read()
    return seen


def find_strange(named: Collection[str], user: User | None, *texts: str) -> set[str]:
    """Return which of the volumes that a domain names it has by other means than this module.

    user: the domain, if it is an instance of ours. What its volumes lie upon a running one names as well, and does not
    have. texts: its definition, and what runs.
    """
    if user is None:
        return set(named)
    rest = set(named) - {one.disk.volume for one in (*user.config, *(user.live or ()))}
    if all(instance_in(file) == user.id for file in rest):
        return rest
    return rest & {file for text in texts if text for file in find_standalones(_without_backing(text))}


def _without_backing(xml: str) -> str:
    root = ET.fromstring(xml)
    for parent in root.iterfind("devices/disk"):
        for element in parent.findall("backingStore"):
            parent.remove(element)
    return ET.tostring(root, encoding="unicode")


def _user_of(node: str, record: DomainRecord) -> User | None:
    try:
        model = parse_domain(record.config)
        live = parse_domain(record.live) if record.live is not None and model is not None else None
    except (ValueError, KeyError):  # what it mentions stays where it is; pextra_vm says what is wrong with it
        return None
    if model is None:
        return None
    return User(
        node=node,
        id=model.labels.id,
        name=model.name,
        uuid=record.uuid,
        power=record.power,
        config=parse_attachments(record.config),
        live=parse_attachments(record.live) if record.live is not None else None,
        targets=model.targets | (live.targets if live is not None else frozenset()),
        xml=record.config,
        saved=record.saved,
        is_container=model.type == "lxc",
    )


def _read_shelves(
    cloud: Cloud, name: str, pools: Sequence[Row], seen: _SeenNode, concerns: Callable[[str], bool]
) -> tuple[list[Shelf], dict[str, Problem]]:
    """Return what is in a node's pools, and why Ceph does not tell of those of its pools, by their identifiers."""
    hypervisor = cloud.hypervisor(name)
    shelves, unseen = [], {}
    for pool in pools:
        # What another node has made, or a hand has deleted, libvirt does not know before it looks again.
        doubt = None
        try:
            look_again(hypervisor, pool.name, f"pool {pool.name}", _READ_TIMEOUT_S)
        except BusyError as error:
            doubt = error.problems[0]
        except HypervisorError as error:
            unseen[pool.id] = error.problems[0]
            continue
        try:
            texts = hypervisor.describe_volumes(pool.name, concerns)
            volumes = _parse(cloud, pool, texts)
        except PextraError as error:
            unseen[pool.id] = error.problems[0]
        else:
            shelves.append(Shelf(pool, name, seen.available[pool.name], volumes, doubt))
    return shelves, unseen


def _parse(cloud: Cloud, pool: Row, texts: Mapping[str, str]) -> dict[str, VolumeFacts]:
    """Return what libvirt says of volumes. What is a clone within Ceph it does not know."""
    volumes = {volume: parse_volume(text) for volume, text in texts.items()}
    if volumes and kind_of(pool).clone == "ceph":
        for volume, parent in cloud.ceph_pool(pool).parents(volumes).items():
            volumes[volume] = replace(volumes[volume], backing=parent)
    return volumes


def _look_at_all(imports: Sequence[Import]) -> dict[Import, ImportFile]:
    """Look at each file; where one does not answer, its neighbours are not asked."""
    found: dict[Import, ImportFile] = {}
    silent: set[str] = set()
    for one in dict.fromkeys(imports):
        directory = os.path.dirname(one.path)
        try:
            if directory in silent:
                raise TooLateError
            found[one] = bounded(partial(look_at, one), _FILE_TIMEOUT_S)
        except TooLateError:
            silent.add(directory)
            remedy = "Its file system may be of a server that is away: look at the mounts of the coordinator."
            found[one] = ImportFile(problems=(Problem(f"it cannot be read within {_FILE_TIMEOUT_S:g} s", remedy),))
    return found


def look_at(wanted: Import) -> ImportFile:
    """Look at a file of the coordinator without trusting it."""
    from ..._doors.host.foreign_disk_inspection import inspect_disk

    try:
        with open_regular(wanted.path) as file:
            found = inspect_disk(file, wanted.format, MAX_IMPORT_MIB, wanted.path)
            unreadable = _look_into(lambda: open_disk(file, wanted.format)) if wanted.format in BLOCK_FORMATS else ()
    except PextraError as error:
        return ImportFile(problems=error.problems)
    except OSError as error:
        return ImportFile(problems=(Problem(f"{error.strerror or error}", "It has to be on the coordinator's disk."),))
    return ImportFile(found.virtual_size, found.size, unreadable=unreadable)


def _look_into(look: Callable[[], object]) -> tuple[Problem, ...]:
    try:
        look()
    except PextraError as error:
        return error.problems
    return ()


@contextlib.contextmanager
def open_regular(path: str):  # type: ignore[no-untyped-def]  # of contextmanager's own making
    """Open a regular file for reading. A pipe would hang, and a link may lead anywhere."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "it is not a regular file")
        yield file


def require_form(cloud: Cloud, node: str, pool: Row, volume: str, stated: str, label: str, *, backing: bool) -> int:
    """Return a volume's size in bytes. Raises if libvirt takes it for something else than was stated.

    What libvirt says is what it goes by. Of what was uploaded, or made by another node, it knows only when it has
    looked at the pool again.
    """
    looks = _look_at_form(cloud, node, pool, volume)
    if (looks.format, bool(looks.backing)) != (stated, backing):
        look_again(cloud.hypervisor(node), pool.name, label, _LOOK_TIMEOUT_S)
        looks = _look_at_form(cloud, node, pool, volume)
    if (looks.format, bool(looks.backing)) == (stated, backing):
        return looks.capacity
    if not looks.format:
        raise HypervisorError([Problem(f"{volume} is not in storage pool {pool.name}", "", node, label)])
    found = looks.format + (f" upon {looks.backing}" if looks.backing else "")
    what = f"libvirt takes {volume} for {found}, and it is {stated}"
    remedy = "Nothing was made of it. Find out what has written to it."
    raise HypervisorError([Problem(what, remedy, node, label)])


def _look_at_form(cloud: Cloud, node: str, pool: Row, volume: str) -> VolumeFacts:
    texts = cloud.hypervisor(node).describe_volumes(pool.name, lambda name: name == volume)
    return _parse(cloud, pool, texts).get(volume) or VolumeFacts(name=volume, format="", capacity=0, allocation=0)
