# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pool: where volumes live. Configured on a cluster, enabled on nodes."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..._fields.common import (
    CLUSTER,
    DESCRIPTION,
    NAME,
    NODES,
    STATE,
    adopting,
    parse_spec,
    protected,
)
from ..._fields.field import (
    REQUIRED,
    Field,
    created,
    join,
)
from ..._model.mistake import Mistake
from .path import check_pool_path
from .source import (
    IN_LIBVIRT,
    ISCSI,
    NETFS,
    RBD,
    SECRETS,
)

# Domain rules, "Storage pools".
TYPES = ("directory", "netfs", "iscsi", "rbd", "zfs", "lvm")
IN_DIRECTORY = ("directory", "netfs")
NETWORKED = ("netfs", "iscsi", "rbd")
# Types whose volumes libvirt makes; those of iscsi are the target's LUNs.
WITH_VOLUMES = ("directory", "netfs", "rbd", "zfs", "lvm")
_SOURCES = {"netfs": NETFS, "iscsi": ISCSI, "rbd": RBD}

FIELDS = {
    "name": NAME,
    "type": Field(
        kind="str",
        create="directory",
        choices=TYPES,
        help="What the pool is made of. For V(zfs) a zpool, and for V(lvm) a volume group, of the pool's name must "
        "exist on each of its nodes.",
    ),
    "path": Field(
        kind="str",
        check=check_pool_path,
        help="The directory, for V(directory), or where it is mounted, for V(netfs). V(/var/lib/pextra/pools/<name>) "
        "unless given. It cannot be changed afterwards.",
    ),
    "shared": Field(
        kind="bool",
        help="Whether the nodes see the same files there, so that instances can move live between them. It is for "
        "V(directory), where it is V(false) unless given; V(netfs), V(iscsi) and V(rbd) are shared, V(zfs) and V(lvm) "
        "are not.",
    ),
    "netfs": Field(kind="dict", table=NETFS, help="The server's directory. For the type V(netfs)."),
    "iscsi": Field(kind="dict", table=ISCSI, help="The target. For the type V(iscsi)."),
    "rbd": Field(kind="dict", table=RBD, help="The pool of Ceph. For the type V(rbd)."),
    "adopt": adopting(
        "storage pools of libvirt with this name that are not the cloud's become this one as they are: no file, volume "
        "or guest in them is touched. They are started, and start with their nodes. Unless O(nodes) is given, it is on "
        "those that have one."
    ),
    "cluster": CLUSTER,
    "nodes": NODES,
    "description": DESCRIPTION,
    "protected": protected(
        "it cannot be removed, nor taken off a node that has its own data in it, and what failed runs have left in it "
        "stays",
        "Instances and volumes in it have their own protection.",
    ),
    "state": STATE,
}


@dataclass(frozen=True, kw_only=True)
class Pool:
    """What is None is not managed. netfs, iscsi, rbd: by their tables, with their secrets."""

    name: str
    type: str | None = None
    path: str | None = None
    shared: bool | None = None
    netfs: Mapping[str, Any] | None = field(default=None, repr=False)
    iscsi: Mapping[str, Any] | None = field(default=None, repr=False)
    rbd: Mapping[str, Any] | None = field(default=None, repr=False)
    adopt: bool | None = None
    cluster: str | None = None
    nodes: tuple[str, ...] | None = None
    description: str | None = None
    protected: bool | None = None
    state: str = "present"

    @property
    def target(self) -> str | None:
        """The directory on the nodes, None for types that have none, and where that of an adopted one is not said."""
        usual = None if self.adopt else f"/var/lib/pextra/pools/{self.name}"
        return (self.path or usual) if self.type in IN_DIRECTORY else None

    @property
    def is_shared(self) -> bool:
        return self.type in NETWORKED or bool(self.shared)

    @property
    def source(self) -> dict[str, Any] | None:
        """What it is made of, without secrets, as plain JSON; None for types that need no more than a name."""
        given = self._given
        if given is None or self.type is None:
            return None
        kept = {key: value for key, value in given.items() if key != SECRETS.get(self.type) and value is not None}
        if self.type == "rbd":
            kept |= {"pool": given.get("pool") or self.name, "monitors": list(given.get("monitors") or ())}
        return kept

    @property
    def credential(self) -> str | None:
        """What libvirt keeps as a secret, None if there is none."""
        given = self._given
        return given.get(SECRETS[self.type]) if given and self.type is not None and self.type in IN_LIBVIRT else None

    @property
    def _given(self) -> Mapping[str, Any] | None:
        given: Mapping[str, Any] | None = {"netfs": self.netfs, "iscsi": self.iscsi, "rbd": self.rbd}.get(
            self.type or ""
        )
        return given


@functools.lru_cache(maxsize=4096)  # it is asked for on each node of a pool
def digest_of_credential(pool_type: str, pool_id: str, credential: str) -> str:
    """Tell a changed secret from the one that a node has; libvirt does not give it back.

    Slow for a password, which may be guessed; a key of Ceph is random.
    """
    rounds = 1 if pool_type == "rbd" else 10_000
    return hashlib.pbkdf2_hmac("sha256", credential.encode(), pool_id.encode(), rounds).hex()


def parse_pool_spec(raw: Mapping[str, Any], path: str) -> tuple[Pool | None, list[Mistake]]:
    """Parse one pool, and look whether its options belong together. Returns (spec or None, mistakes)."""
    spec, mistakes = parse_spec(FIELDS, Pool, raw, path)
    if spec is not None:
        mistakes = find_mistakes_within(spec, path, "call")
    return (None, mistakes) if mistakes else (spec, [])


def complete_pool(pool: Pool, registered: Mapping[str, Any] | None) -> Pool:
    """Return what a call makes of a pool: what it does not name is as registered, or as a new one gets it.

    Secrets are not registered: those that are not named stay unknown.
    """
    if registered is None:
        return Pool(**created(FIELDS, vars(pool)))
    kind = pool.type or registered["type"]
    source = registered.get("source")
    if kind not in _SOURCES or source is None or kind != registered["type"]:
        return replace(pool, type=kind)
    given = {key: value for key, value in (getattr(pool, kind) or {}).items() if value is not None}
    if set(given.get("monitors", ())) == set(source.get("monitors", ())):
        given.pop("monitors", None)  # in another order they are the same
    completed: dict[str, Any] = {kind: {**dict.fromkeys(_SOURCES[kind]), **source, **given}}
    return replace(pool, type=kind, **completed)


# What is to be judged: what a call names, a new pool, or one that is there and whose secrets are not known.
Judged = Literal["call", "new", "present"]


def find_mistakes_within(pool: Pool, path: str, judged: Judged = "new") -> list[Mistake]:
    """Return where a pool's options contradict each other."""
    mistakes: list[Mistake] = []
    if pool.state == "absent":
        return []
    if pool.type is None:  # it is judged when it is known
        return []
    for kind, table in _SOURCES.items():
        given = getattr(pool, kind)
        if kind == pool.type and given is None and judged == "new":
            needed = ", ".join(key for key, one in table.items() if one.create is REQUIRED) or "monitors, key"
            mistakes.append(Mistake(join(path, kind), f"is missing; a pool of type {kind} needs it, with {needed}"))
        elif kind == pool.type and given is not None and judged == "new":
            mistakes += [
                Mistake(join(path, f"{kind}.{key}"), f"is missing; a new pool needs it: {one.help}")
                for key, one in table.items()
                if one.create is REQUIRED and given.get(key) is None
            ]
        elif kind != pool.type and given is not None:
            problem = f"is for pools of type {kind}, and this one is of type {pool.type}; leave it out"
            mistakes.append(Mistake(join(path, kind), problem))
    return mistakes + find_place_mistakes(pool, path) + _find_source_mistakes(pool, path, judged)


def find_place_mistakes(pool: Pool, path: str) -> list[Mistake]:
    """Return what its type has no use for. Asked of what somebody wrote: what is completed has it right."""
    mistakes: list[Mistake] = []
    if pool.type is None or pool.state == "absent":
        return mistakes
    if pool.path is not None and pool.type not in IN_DIRECTORY:
        mistakes.append(Mistake(join(path, "path"), f"a pool of type {pool.type} has no directory; leave it out"))
    if pool.shared is not None and pool.type != "directory" and pool.shared is not (pool.type in NETWORKED):
        is_so = "shared by all its nodes" if pool.type in NETWORKED else "each node's own"
        mistakes.append(Mistake(join(path, "shared"), f"a pool of type {pool.type} is {is_so}; leave it out"))
    return mistakes


def _find_source_mistakes(pool: Pool, path: str, judged: Judged) -> list[Mistake]:
    mistakes = []
    if pool.type == "netfs" and pool.netfs is not None:
        export, form = pool.netfs.get("export"), pool.netfs.get("format")
        is_path = str(export).startswith("/")
        if export is not None and form is not None and is_path is (form == "cifs"):
            word = "the name of the share, without a slash before it" if is_path else "a path that begins with a slash"
            problem = f"for {form} it is {word}"
            mistakes.append(Mistake(join(path, "netfs.export"), problem))
        if form not in (None, "cifs") and pool.netfs.get("username") is not None:
            problem = f"{form} knows no user; leave it out, or write format: cifs"
            mistakes.append(Mistake(join(path, "netfs.username"), problem))
        mistakes += _find_half_account(pool.netfs, join(path, "netfs"), "SMB", judged)
    if pool.type == "iscsi" and pool.iscsi is not None:
        mistakes += _find_half_account(pool.iscsi, join(path, "iscsi"), "CHAP", judged)
    if pool.type == "rbd" and pool.rbd is not None:
        monitors = pool.rbd.get("monitors")
        if not monitors and (monitors is not None or judged == "new"):
            word = "is missing" if monitors is None else "is empty"
            mistakes.append(Mistake(join(path, "rbd.monitors"), f"{word}; name at least one monitor"))
        if pool.rbd.get("key") is None and judged == "new":
            mistakes.append(Mistake(join(path, "rbd.key"), "is missing; Ceph lets nobody in without a key"))
    return mistakes


def _find_half_account(source: Mapping[str, Any], path: str, protocol: str, judged: Judged) -> list[Mistake]:
    needs = {"call": (), "new": ("username", "password"), "present": ("username",)}[judged]
    return [
        Mistake(join(path, other), f"is missing; {protocol} needs it with {one}")
        for one, other in (("username", "password"), ("password", "username"))
        if other in needs and source.get(one) is not None and source.get(other) is None
    ]
