# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools, and what they can be made of."""

from __future__ import annotations

import contextlib
import math
from typing import NamedTuple

import libvirt

from ..._model.errors import (
    BusyError,
    HypervisorError,
    NotFoundError,
    Problem,
)
from .connection import Connection

POOL_START_TIMEOUT_S = 60.0
_REFRESH_LIMIT_S = 30.0
_NO_ZPOOL = "Make it, or take the node off the pool's nodes."
_POOLS_TIMEOUT_S = 20.0


class PoolRecord(NamedTuple):
    """A storage pool as it is. Sizes are bytes; 0 when it is not active. persistent: it is still there when stopped."""

    name: str
    uuid: str
    active: bool
    autostart: bool
    capacity: int
    allocation: int
    available: int
    xml: str
    persistent: bool = True


def _definition_of(pool: libvirt.virStoragePool, active: bool) -> str:
    """Return what is defined of a pool. An active one of Ceph may have got other monitors, which it uses from its next
    start on; of others the definition and what is used are the same.
    """
    xml = str(pool.XMLDesc(0))
    return str(pool.XMLDesc(libvirt.VIR_STORAGE_XML_INACTIVE)) if active and xml.startswith("<pool type='rbd'") else xml


class Pools(Connection):
    """What is asked and done of storage pools."""

    def pools(self) -> list[PoolRecord]:
        """Read all storage pools.

        While libvirt waits for a server, to mount or to refresh, it answers no question about pools: past a time limit
        this raises.
        """
        late = Problem(
            f"libvirt does not tell its storage pools within {_POOLS_TIMEOUT_S:g} s",
            "It may be waiting for a server: look for mounts that hang.",
            self.node,
        )
        return self._slowly(self._read_pools, _POOLS_TIMEOUT_S, late)

    def _read_pools(self) -> list[PoolRecord]:
        with self._errors("list storage pools", limit_s=math.inf):
            autostarted = {
                pool.UUIDString()
                for pool in self._connection.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART)
            }
            records = []
            for pool in self._connection.listAllStoragePools():
                info = pool.info()
                active = info[0] == libvirt.VIR_STORAGE_POOL_RUNNING
                uuid = pool.UUIDString()
                capacity, allocation, available = info[1:4] if active else (0, 0, 0)
                records.append(
                    PoolRecord(
                        name=pool.name(),
                        uuid=uuid,
                        active=active,
                        autostart=uuid in autostarted,
                        capacity=capacity,
                        allocation=allocation,
                        available=available,
                        xml=_definition_of(pool, active),
                        # What starts with the node is; of the others, which are few, it is asked.
                        persistent=uuid in autostarted or bool(pool.isPersistent()),
                    )
                )
            return records

    def define_pool(self, xml: str, resource: str) -> str:
        """Define a pool and return libvirt's UUID of it."""
        with self._errors("define the storage pool", resource):
            pool = self._connection.storagePoolDefineXML(xml)
            uuid = str(pool.UUIDString())
            self._defined[uuid] = pool  # it is started next, and need not be looked up
            return uuid

    def start_pool(
        self,
        uuid: str,
        resource: str,
        *,
        build: bool,
        autostart: bool = False,
        timeout_s: float = POOL_START_TIMEOUT_S,
    ) -> None:
        """Start it, making its directory first if asked to; started already is fine. autostart: with the node as well.

        A server that hangs lets mount wait for minutes: past the time limit this raises, while libvirt goes on.
        """

        where = (self.node, resource)

        def start() -> None:
            with self._errors("start the storage pool", resource, limit_s=math.inf):
                pool = self._defined.pop(uuid, None) or self._connection.storagePoolLookupByUUIDString(uuid)
                if not pool.isActive():  # libvirt refuses to build an active pool
                    if build:
                        pool.build(libvirt.VIR_STORAGE_POOL_BUILD_NEW)
                    pool.create()
                    if not build and pool.XMLDesc().startswith("<pool type='zfs'") and pool.info()[1] == 0:
                        # libvirt starts a pool whose zpool is not there, and lists nothing in it.
                        pool.destroy()
                        raise HypervisorError([Problem(f"the node has no zpool {pool.name()}", _NO_ZPOOL, *where)])
                if autostart:
                    pool.setAutostart(1)

        late = Problem(
            f"starting the storage pool took more than {timeout_s:g} s, and goes on",
            "Its source may hang: look at the server. The next run starts it.",
            self.node,
            resource,
        )
        self._slowly(start, timeout_s, late)

    def set_pool_autostart(self, uuid: str, resource: str) -> None:
        with self._errors("set the storage pool's autostart", resource):
            self._connection.storagePoolLookupByUUIDString(uuid).setAutostart(1)

    def remove_pool(self, uuid: str, resource: str) -> None:
        """Stop and undefine it; its directory and what is in it stay. Gone already is fine."""

        def remove() -> None:
            with self._errors("remove the storage pool", resource, limit_s=math.inf):
                pool = self._connection.storagePoolLookupByUUIDString(uuid)
                if pool.isActive():
                    pool.destroy()
                pool.undefine()

        late = Problem(
            f"stopping the storage pool took more than {POOL_START_TIMEOUT_S:g} s, and goes on",
            "Its source may hang: look at the server, then run again.",
            self.node,
            resource,
        )
        with contextlib.suppress(NotFoundError):
            self._slowly(remove, POOL_START_TIMEOUT_S, late)

    def refresh_pool(self, pool: str) -> None:
        """Let libvirt look again, as another node may have written. Raises BusyError while a volume is made there."""

        def refresh() -> None:
            with self._errors("refresh the storage pool", f"pool {pool}", limit_s=math.inf):
                found = self._connection.storagePoolLookupByName(pool)
                try:
                    found.refresh()
                except libvirt.libvirtError as error:
                    # It stops a pool that it cannot read. One that is still there has only refused to be read now, as a
                    # volume is being made in it.
                    if error.get_error_code() == libvirt.VIR_ERR_INTERNAL_ERROR and found.isActive():
                        text = (error.get_error_message() or str(error)).strip()
                        problem = Problem(text, "Run again when it is done.", self.node, f"pool {pool}")
                        raise BusyError([problem]) from error
                    raise

        late = Problem(
            f"refreshing the storage pool took more than {_REFRESH_LIMIT_S:g} s, and goes on",
            "Its source may hang: look at the server, then run again.",
            self.node,
            f"pool {pool}",
        )
        self._slowly(refresh, _REFRESH_LIMIT_S, late, pool)

    def find_pool_sources(self, pool_type: str, xml: str, *, timeout_s: float) -> str:
        """Ask the node what storage pools of libvirt's type could be made of; returns libvirt's XML.

        The tools behind it wait long for a server that hangs: past the time limit this raises, and lets them be.
        """

        def ask() -> str:
            with self._errors("look for the source", limit_s=math.inf):
                return str(self._connection.findStoragePoolSources(pool_type, xml))

        late = Problem(f"looking for the source took more than {timeout_s:g} s", "", self.node)
        return self._slowly(ask, timeout_s, late)
