"""The only importer of libvirt: a typed door to one node's hypervisor.

Everything is read in bulk, errors become ours, and nothing here decides anything. A connection is safe to use from
several threads.
"""

from __future__ import annotations

import contextlib
import errno
import math
import socket
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

import libvirt

from . import _hung_nodes, _tls
from ._bounded import TooLateError, begin, bounded, wait
from ._errors import BusyError, HypervisorError, NotFoundError, PextraError, Problem, UnreachableError
from ._migration import LOOK_EVERY_S, Migration
from ._watch import ANSWER_S, Call, Watch, shut_sockets

if TYPE_CHECKING:
    from ._disk_blocks import Blocks

TLS_PORT = 16514
_CONNECT_TIMEOUT_S = 5.0
_DAEMON = "libvirtd"
# What libvirt answers from what it knows. It waits itself for 30 s for a guest that something else is done with.
_CALL_LIMIT_S = 45.0
_CLOSE_LIMIT_S = 2.0
# A guest that runs takes a moment to let go of a device; one that does not listen, or uses it, takes for ever.
_RELEASE_LIMIT_S = 20.0
_RELEASE_POLL_S = 0.25
# What it asks a guest's QEMU, or has QEMU do.
_GUEST_LIMIT_S = 60.0
_START_LIMIT_S = 300.0
# A part of a transfer, which a slow disk may hold up.
_TRANSFER_LIMIT_S = 60.0
# What makes or fills a volume: as long as the slowest disk takes for it.
_VOLUME_LIMIT_S = 300.0
_SLOWEST_BYTES_PER_S = 8 * 1024**2
POOL_START_TIMEOUT_S = 60.0
_LOOK_AT_BOTH = "Look at it on both nodes (virsh list --all; virsh domjobinfo), then run again."
_REFRESH_LIMIT_S = 30.0
_PART = 256 * 1024
_DEVICE_TIMEOUT_S = 20.0
_DEVICE_POLL_S = 0.1
_NO_ZPOOL = "Make it, or take the node off the pool's nodes."
_POOLS_TIMEOUT_S = 20.0

Power = Literal["running", "stopped", "paused"]
Result = TypeVar("Result")

_NOT_FOUND = {
    libvirt.VIR_ERR_NO_DOMAIN,
    libvirt.VIR_ERR_NO_NETWORK,
    libvirt.VIR_ERR_NO_STORAGE_POOL,
    libvirt.VIR_ERR_NO_STORAGE_VOL,
    libvirt.VIR_ERR_NO_DOMAIN_METADATA,
    libvirt.VIR_ERR_NO_SECRET,
}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_DEVICE = {errno.ENOENT, errno.ENXIO, errno.ENODEV}
_POWER: dict[int, Power] = {
    libvirt.VIR_DOMAIN_RUNNING: "running",
    libvirt.VIR_DOMAIN_BLOCKED: "running",
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_SHUTDOWN: "running",
    libvirt.VIR_DOMAIN_SHUTOFF: "stopped",
    libvirt.VIR_DOMAIN_CRASHED: "stopped",
    libvirt.VIR_DOMAIN_PMSUSPENDED: "running",
}


class DomainRecord(NamedTuple):
    """A domain as it is. `config` is the persistent XML, `live` that of the running guest (None when stopped)."""

    name: str
    uuid: str
    power: Power
    autostart: bool
    persistent: bool
    config: str
    live: str | None


class PoolRecord(NamedTuple):
    """A storage pool as it is. Sizes are bytes; 0 when it is not active."""

    name: str
    uuid: str
    active: bool
    autostart: bool
    capacity: int
    allocation: int
    available: int
    xml: str


class NetworkRecord(NamedTuple):
    """A libvirt network as it is."""

    name: str
    uuid: str
    active: bool
    autostart: bool
    xml: str


class HostRecord(NamedTuple):
    """Memory is MiB."""

    hostname: str
    cores: int
    memory: int
    memory_free: int
    libvirt_version: int


class Hypervisor:
    """An open connection to one node's libvirt. Open it with `connect`."""

    def __init__(self, node: str, connection: libvirt.virConnect, uri: str, *, is_local: bool = False) -> None:
        """is_local: it runs on this host, so that a volume's path can be opened here."""
        self.node = node
        self.is_local = is_local
        self._connection = connection
        # Storage pools that were defined and not started yet, by UUID.
        self._defined: dict[str, Any] = {}
        self._left_alone = 0
        # Those whose source hangs, by name.
        self._late_pools: dict[str, Problem] = {}
        self._watch = Watch(lambda: _answers(uri), lambda: _shut(uri), lambda: _note_hung(node, uri, None))

    # Connection

    @classmethod
    def connect(cls, node: str, address: str | None) -> Hypervisor:
        """Connect over mutual TLS to `address`, or to the local socket if it is None."""
        if address is not None:
            _probe(node, address)
            host = f"[{address}]" if ":" in address else address
            return cls.open(node, f"qemu+tls://{host}/system")
        return cls.open(node, "qemu:///system")

    @classmethod
    def open(cls, node: str, uri: str) -> Hypervisor:
        """Connect to any libvirt URI. Raises UnreachableError."""
        _silence_libvirt()
        limit_s = _hung_nodes.opening_bound(node, _DAEMON)
        try:
            connection = bounded(lambda: libvirt.open(uri), limit_s, libvirt.libvirtError)
        except TooLateError as error:
            _shut(uri)  # lets the thread end
            raise UnreachableError([_note_hung(node, uri, limit_s)]) from error
        except libvirt.libvirtError as error:
            raise UnreachableError([_explain_connect(node, uri, error)]) from error
        _hung_nodes.forget(node, _DAEMON)
        return cls(node, connection, uri, is_local=urlsplit(uri).hostname is None)

    def close(self) -> None:
        if self._left_alone:
            # A thread is still in a call: what it uses must not be freed. Its call ends with the connection.
            self._watch.shut()
            self._connection._o = None
            return
        with contextlib.suppress(libvirt.libvirtError), self._watch.watched("close", _CLOSE_LIMIT_S):
            self._connection.close()

    @property
    def frozen(self) -> Problem | None:
        """What is to be said of a daemon that was found frozen: every call raises it from then on."""
        return self._watch.frozen

    @property
    def is_given_up(self) -> bool:
        """Whether every further call fails: the daemon is frozen, or, while it answers, a call was stuck."""
        return self._watch.is_given_up

    @contextlib.contextmanager
    def _errors(self, doing: str, resource: str | None = None, *, limit_s: float = _CALL_LIMIT_S) -> Iterator[Call]:
        """Make errors of libvirt ours, and watch that it answers: what is called within, or each part of it of which
        `go_on` is told, may take limit_s.
        """
        self._refuse_given_up(doing, resource)
        try:
            with self._watch.watched(doing, limit_s) as call:
                yield call
        except libvirt.libvirtError as error:
            self._refuse_given_up(doing, resource, error)
            kind = NotFoundError if error.get_error_code() in _NOT_FOUND else HypervisorError
            text = (error.get_error_message() or str(error)).strip()
            raise kind([Problem(f"{doing}: {text}", self._remedy(error), self.node, resource)]) from error

    def _refuse_given_up(self, doing: str, resource: str | None, error: Exception | None = None) -> None:
        if self._watch.frozen is not None:
            raise UnreachableError([self._watch.frozen]) from error
        if self._watch.stuck is not None:
            problem = Problem(
                f"{doing}: given up, while libvirtd answers: {self._watch.stuck}",
                f"Look at what that waits for: on {self.node}, systemctl status libvirtd; then run again.",
                self.node,
                resource,
            )
            raise HypervisorError([problem]) from error

    def _remedy(self, error: libvirt.libvirtError) -> str:
        if _errno_of(error) in _FULL:
            return "The disk is full: free space, or use another storage pool."
        if not self._connection.isAlive():
            return "The connection broke: check the node, then run again."
        return ""

    @contextlib.contextmanager
    def _unless_lost(self) -> Iterator[None]:
        """Pass over what cannot be read, unless it is the connection that broke."""
        try:
            yield
        except libvirt.libvirtError:
            if self.is_given_up or not self._connection.isAlive():
                raise

    def _slowly(self, call: Callable[[], Result], limit_s: float, late: Problem, pool: str = "") -> Result:
        """Return what `call` returns, or raise `late` when it takes longer, and leave it alone: others can go on
        meanwhile. For what waits for more than libvirtd itself. pool: one that was late is not waited for again.
        """
        self._refuse_late(pool)
        try:
            return bounded(call, limit_s, PextraError, libvirt.libvirtError)
        except TooLateError as error:
            self._left_alone += 1
            if pool:
                self._late_pools[pool] = late
            raise HypervisorError([late]) from error

    def _of_volume(self, doing: str, resource: str, call: Callable[[], object], size_bytes: int) -> None:
        """Do what may read or write this many bytes on the node, of which libvirt tells nothing meanwhile."""
        limit_s = _VOLUME_LIMIT_S + size_bytes / _SLOWEST_BYTES_PER_S

        def work() -> None:
            with self._errors(doing, resource, limit_s=math.inf):
                call()

        late = Problem(
            f"{doing}: not done within {limit_s:.0f} s, while libvirtd answers, and goes on",
            "Its storage may hang: look at the server, or the disk; then run again.",
            self.node,
            resource,
        )
        self._slowly(work, limit_s, late)

    def _of_guest(self, doing: str, resource: str, call: Callable[[], object], limit_s: float = _GUEST_LIMIT_S) -> None:
        """Do what libvirt needs a guest's QEMU for, which may be frozen by itself."""

        def work() -> None:
            with self._errors(doing, resource, limit_s=math.inf):
                call()

        late = Problem(
            f"{doing}: not done within {limit_s:g} s, while libvirtd answers: its QEMU may be frozen",
            f"On {self.node}: virsh list, and look at the process of its QEMU. The next run goes on.",
            self.node,
            resource,
        )
        self._slowly(work, limit_s, late)

    # Host

    def host(self) -> HostRecord:
        """Read the host's size."""
        with self._errors("read the host"):
            info = self._connection.getInfo()
            free = 0
            with _passing_over(libvirt.VIR_ERR_NO_SUPPORT):  # the test driver does not know
                free = self._connection.getFreeMemory() // 1024**2
            return HostRecord(self._connection.getHostname(), info[2], info[1], free, self._connection.getLibVersion())

    def supports_kvm(self) -> bool:
        """Tell whether this libvirt offers KVM."""
        try:
            with self._errors("read what it supports"):
                self._connection.getDomainCapabilities(None, None, None, "kvm", 0)
        except HypervisorError:
            return False
        return True

    # Domains

    def domains(self) -> list[DomainRecord]:
        """Read all domains: five list calls, and one call per domain and kind of XML."""
        with self._errors("list instances") as call:
            autostarted = {
                domain.UUIDString()
                for domain in self._connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART)
            }
            # Active and not paused is running, whatever libvirt calls it: shutting down, or asleep.
            active: dict[str, Power] = {
                domain.UUIDString(): "running"
                for domain in self._connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
            }
            for domain in self._connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_PAUSED):
                active[domain.UUIDString()] = "paused"
            transient = {
                domain.UUIDString()
                for domain in self._connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_TRANSIENT)
            }
            records = []
            for domain in self._connection.listAllDomains():
                call.go_on()
                record = self._read_domain(domain, active, autostarted, transient)
                if record is not None:
                    records.append(record)
            return records

    def _read_domain(
        self, domain: Any, active: dict[str, Power], autostarted: set[str], transient: set[str]
    ) -> DomainRecord | None:
        uuid = domain.UUIDString()
        try:
            power = active.get(uuid, "stopped")
            config = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            live = domain.XMLDesc(0) if power != "stopped" else None
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:  # gone since it was listed
                return None
            raise
        return DomainRecord(domain.name(), uuid, power, uuid in autostarted, uuid not in transient, config, live)

    def live_domain_xml(self) -> list[str]:
        """Read the live XML of the running and paused domains only."""
        with self._errors("list running instances") as call:
            texts = []
            for domain in self._connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
                call.go_on()
                with _passing_over(libvirt.VIR_ERR_NO_DOMAIN):  # stopped since it was listed
                    texts.append(domain.XMLDesc(0))
            return texts

    def live_xml_of(self, uuid: str) -> str:
        """Read the live XML of one domain; nothing if it does not run."""
        with self._errors("read a running instance"):
            domain = self._connection.lookupByUUIDString(uuid)
            return str(domain.XMLDesc(0)) if domain.isActive() else ""

    def config_xml_of(self, uuid: str) -> str:
        """Read the definition of one domain."""
        with self._errors("read an instance's definition"):
            return str(self._connection.lookupByUUIDString(uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))

    def define_domain(self, xml: str, resource: str) -> None:
        with self._errors("define the instance", resource):
            # Without libvirt's schema validation, which takes fifteen times as long as all the rest: the tests do it.
            self._connection.defineXML(xml)

    def undefine_domain(self, uuid: str, resource: str) -> None:
        """Remove the definition and what libvirt keeps with it; volumes stay. Gone already is fine."""
        flags = (
            libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
            | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
        )
        with contextlib.suppress(NotFoundError), self._errors("remove the instance's definition", resource):
            self._connection.lookupByUUIDString(uuid).undefineFlags(flags)

    def set_autostart(self, uuid: str, autostart: bool, resource: str) -> None:
        with self._errors("set autostart", resource):
            self._connection.lookupByUUIDString(uuid).setAutostart(int(autostart))

    def power_of(self, uuid: str, resource: str) -> Power:
        with self._errors("read the power state", resource):
            return _POWER.get(self._connection.lookupByUUIDString(uuid).state()[0], "stopped")

    def start_domain(self, uuid: str, resource: str, *, paused: bool = False) -> None:
        """Start it; running already is fine."""

        def start() -> None:
            domain = self._domain(uuid)
            if not domain.isActive():
                domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if paused else 0)

        self._of_guest("start the instance", resource, start, _START_LIMIT_S)

    def resume_domain(self, uuid: str, resource: str) -> None:
        self._of_guest("resume the instance", resource, lambda: self._domain(uuid).resume())

    def suspend_domain(self, uuid: str, resource: str) -> None:
        self._of_guest("pause the instance", resource, lambda: self._domain(uuid).suspend())

    def request_shutdown(self, uuid: str, resource: str) -> None:
        """Press the power button; the guest decides."""

        def stop() -> None:
            domain = self._domain(uuid)
            if domain.isActive():
                domain.shutdown()

        self._of_guest("stop the instance", resource, stop)

    def force_stop(self, uuid: str, resource: str) -> None:
        """Pull the plug; stopped already is fine."""

        def force() -> None:
            domain = self._domain(uuid)
            if domain.isActive():
                domain.destroy()

        self._of_guest("force the instance off", resource, force)

    def attach_device(self, uuid: str, xml: str, resource: str, *, live: bool, config: bool) -> None:
        flags = _affect(live, config)
        self._of_guest("attach a device", resource, lambda: self._domain(uuid).attachDeviceFlags(xml, flags))

    def detach_device(self, uuid: str, xml: str, resource: str, *, live: bool, config: bool) -> None:
        flags = _affect(live, config)
        self._of_guest("detach a device", resource, lambda: self._domain(uuid).detachDeviceFlags(xml, flags))

    def await_release(self, uuid: str, mark: str, what: str, resource: str) -> None:
        """Wait until the guest has let go of a device, by which detaching ends. mark: what of it is in the XML.

        Raises HypervisorError if it does not; what does not run has let go of everything.
        """
        deadline = time.monotonic() + _RELEASE_LIMIT_S
        with contextlib.suppress(NotFoundError):
            while mark in self.live_xml_of(uuid):
                if time.monotonic() >= deadline:
                    problem = Problem(
                        f"the guest did not let go of {what} within {_RELEASE_LIMIT_S:g} s",
                        "See that nothing in the guest uses it, or stop the instance; then run again.",
                        self.node,
                        resource,
                    )
                    raise HypervisorError([problem])
                time.sleep(_RELEASE_POLL_S)

    def update_device(self, uuid: str, xml: str, resource: str, *, live: bool, config: bool) -> None:
        flags = _affect(live, config)
        self._of_guest("change a device", resource, lambda: self._domain(uuid).updateDeviceFlags(xml, flags))

    def resize_disk(self, uuid: str, target: str, size_bytes: int, resource: str) -> None:
        """Let the running guest see a larger disk."""
        flags = libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES
        self._of_guest("grow a disk", resource, lambda: self._domain(uuid).blockResize(target, size_bytes, flags))

    def limit_disk(
        self, uuid: str, target: str, tuning: Mapping[str, int], resource: str, *, live: bool, config: bool
    ) -> None:
        """Limit a disk's input and output, at once and for good. tuning: libvirt's names; 0 is no limit."""
        limits, flags = dict(tuning), _affect(live, config)
        self._of_guest("limit a disk", resource, lambda: self._domain(uuid).setBlockIoTune(target, limits, flags))

    def set_metadata(self, uuid: str, xml: str, prefix: str, uri: str, resource: str, *, live: bool) -> None:
        with self._errors("write the instance's metadata", resource):
            self._connection.lookupByUUIDString(uuid).setMetadata(
                libvirt.VIR_DOMAIN_METADATA_ELEMENT, xml, prefix, uri, _affect(live, True)
            )

    def migrate(
        self, uuid: str, target: Hypervisor, address: str, config: str, resource: str, *, is_vouched: bool
    ) -> None:
        """Move a running instance live to another node that sees the same volumes.

        This process drives both ends, so that no node needs rights on another; memory goes from QEMU to QEMU over
        TLS. `config` becomes the definition there, the definition here goes away. The caller vouches for the volumes:
        libvirt trusts only file systems that it knows as networked, and asks to be told of any other (`is_vouched`).
        """
        flags = (
            libvirt.VIR_MIGRATE_LIVE
            | libvirt.VIR_MIGRATE_TLS
            | libvirt.VIR_MIGRATE_PERSIST_DEST
            | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
        )
        if is_vouched:
            flags |= libvirt.VIR_MIGRATE_UNSAFE
        host = f"[{address}]" if ":" in address else address
        parameters = {
            libvirt.VIR_MIGRATE_PARAM_PERSIST_XML: config,
            libvirt.VIR_MIGRATE_PARAM_URI: f"tcp://{host}",
            libvirt.VIR_MIGRATE_PARAM_TLS_DESTINATION: address,
        }
        doing = f"move it to {target.node}"
        with self._errors(doing, resource):
            domain = self._domain(uuid)
            migration = Migration(domain)

        def work() -> None:
            # Both ends are watched, and the one that freezes is given up.
            with target._watch.watched(doing, math.inf), self._errors(doing, resource, limit_s=math.inf):
                domain.migrate3(target._connection, parameters, flags)

        def leave_to_people() -> None:
            # libvirt would let it go on here, and it may run there already. Without us it is left paused.
            if migration.is_handing_over:
                self._watch.drop(f"it was to {doing}, which froze")

        with target._watch.before_giving_up(leave_to_people):
            try:
                self._watch_migration(
                    begin(work, PextraError, libvirt.libvirtError), migration, target, doing, resource
                )
            except PextraError as error:
                if target.frozen is not None and migration.is_handing_over:
                    raise HypervisorError([_explain_lost_move(self.node, target.node, resource)]) from error
                if migration.why is None:
                    raise
                what, remedy = migration.why
                raise HypervisorError([Problem(f"{doing}: {what}", remedy, self.node, resource)]) from error

    def _watch_migration(
        self, outcome: Future[None], migration: Migration, target: Hypervisor, doing: str, resource: str
    ) -> None:
        while True:
            try:
                return wait(outcome, LOOK_EVERY_S)
            except TooLateError as error:
                if migration.is_late:
                    self._left_alone += 1
                    target._left_alone += 1
                    raise HypervisorError(
                        [
                            Problem(
                                f"{doing}: it was to be stopped, and does not end", _LOOK_AT_BOTH, self.node, resource
                            )
                        ]
                    ) from error
            with contextlib.suppress(NotFoundError), self._errors(doing, resource):  # it has just left
                if target.frozen is None:
                    migration.look()
                else:
                    migration.stop(f"{target.node} froze meanwhile, and it goes on where it was", target.frozen.remedy)

    def _domain(self, uuid: str) -> Any:
        return self._connection.lookupByUUIDString(uuid)

    # Storage pools and volumes

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
                        xml=pool.XMLDesc(0),
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

    def volume_names(self, pool: str) -> set[str]:
        """Names of the volumes that libvirt knows in a pool; one call."""
        self._refuse_late(pool)
        with self._errors("list volumes", f"pool {pool}"):
            return set(self._connection.storagePoolLookupByName(pool).listVolumes())

    def describe_volumes(self, pool: str, concerns: Callable[[str], bool]) -> dict[str, str]:
        """Read the XML of those volumes of a pool whose names concern the caller: one call, and one for each of them.

        For the format libvirt looks into a volume; what a caller relies on is the format that was stated.
        """
        self._refuse_late(pool)
        with self._errors("list volumes", f"pool {pool}") as call:
            found = {}
            for volume in self._connection.storagePoolLookupByName(pool).listAllVolumes():
                name = volume.name()
                if concerns(name):
                    call.go_on()
                    with self._unless_lost():  # gone since it was listed
                        found[name] = str(volume.XMLDesc())
            return found

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

    def _refuse_late(self, pool: str) -> None:
        if pool in self._late_pools:
            raise HypervisorError([self._late_pools[pool]])

    def volume_size(self, pool: str, name: str) -> int:
        """Virtual size in bytes. Raises NotFoundError."""
        with self._errors("read a volume", f"volume {name}"):
            return int(self._volume(pool, name).info()[1])

    def volume_length(self, pool: str, name: str) -> int:
        """How many bytes of it there are to download: of a file its length, otherwise its size."""
        with self._errors("read a volume", f"volume {name}"):
            volume = self._volume(pool, name)
            kind, capacity, length = volume.infoFlags(libvirt.VIR_STORAGE_VOL_GET_PHYSICAL)
            return int(length if kind == libvirt.VIR_STORAGE_VOL_FILE else capacity)

    def backing_paths(self, pool: str) -> dict[str, str]:
        """Return the backing files of a pool's volumes, by the volume's name; a call for each volume."""
        with self._errors("list volumes", f"pool {pool}") as call:
            found = {}
            for volume in self._connection.storagePoolLookupByName(pool).listAllVolumes():
                call.go_on()
                with _passing_over(libvirt.VIR_ERR_NO_STORAGE_VOL):  # gone since it was listed
                    path = ET.fromstring(volume.XMLDesc()).findtext("backingStore/path")
                    if path:
                        found[volume.name()] = path
            return found

    def volume_path(self, pool: str, name: str) -> str:
        with self._errors("read a volume", f"volume {name}"):
            return str(self._volume(pool, name).path())

    def create_volume(self, pool: str, xml: str, resource: str) -> None:

        def create() -> None:
            volume = self._connection.storagePoolLookupByName(pool).createXML(xml)
            if volume.path().startswith("/dev/"):
                self._wait_for_device(volume)

        # Space that is allocated is written on some file systems.
        allocated = ET.fromstring(xml).findtext("allocation") or "0"
        self._of_volume("create a volume", resource, create, int(allocated))

    def _wait_for_device(self, volume: Any) -> None:
        """Wait until the node has the device: udev makes it a moment after the volume, and libvirt does not wait."""
        deadline = time.monotonic() + _DEVICE_TIMEOUT_S
        while True:
            stream = self._connection.newStream()
            try:
                volume.download(stream, 0, 1)
            except libvirt.libvirtError as error:
                # There is no such file, and then for a moment no such device (zvols).
                if _errno_of(error) not in _NO_DEVICE or time.monotonic() >= deadline:
                    raise
                time.sleep(_DEVICE_POLL_S)
            else:
                with contextlib.suppress(libvirt.libvirtError):
                    stream.abort()
                return

    def clone_volume(self, pool: str, xml: str, source_pool: str, source: str, resource: str) -> None:
        """Create a full copy of a volume of the same node."""
        with self._errors("copy a volume", resource):
            origin = self._volume(source_pool, source)
            size = int(origin.info()[1])
        self._of_volume(
            "copy a volume",
            resource,
            lambda: self._connection.storagePoolLookupByName(pool).createXMLFrom(xml, origin),
            size,
        )

    def grow_volume(self, pool: str, name: str, size_bytes: int, resource: str, *, allocate: bool = False) -> None:
        """Make it larger. allocate: take the space at once, which only raw volumes can."""
        flags = libvirt.VIR_STORAGE_VOL_RESIZE_ALLOCATE if allocate else 0
        written = size_bytes if allocate else 0
        self._of_volume("grow a volume", resource, lambda: self._volume(pool, name).resize(size_bytes, flags), written)

    def shrink_volume(self, pool: str, name: str, size_bytes: int, resource: str) -> None:
        """Cut it off; what lies beyond is lost."""
        flags = libvirt.VIR_STORAGE_VOL_RESIZE_SHRINK
        self._of_volume("shrink a volume", resource, lambda: self._volume(pool, name).resize(size_bytes, flags), 0)

    def delete_volume(
        self, pool: str, name: str, resource: str, *, wipe: bool = False, with_snapshots: bool = False
    ) -> None:
        """Delete a volume and what is in it; gone already is fine.

        wipe: write zeros first, where the next volume would show what this one held. with_snapshots: of an image of
        Ceph; it is refused while a clone hangs on one.
        """
        with contextlib.suppress(NotFoundError):
            with self._errors("delete a volume", resource):
                volume = self._volume(pool, name)
                size = int(volume.info()[1]) if wipe else 0
            if wipe:
                self._of_volume("wipe a volume", resource, volume.wipe, size)
            flags = libvirt.VIR_STORAGE_VOL_DELETE_WITH_SNAPSHOTS if with_snapshots else 0
            self._of_volume("delete a volume", resource, lambda: volume.delete(flags), 0)

    def upload_volume(
        self,
        pool: str,
        name: str,
        read: Callable[[int], bytes],
        length: int,
        resource: str,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Fill a volume with `length` bytes from `read`, over the connection."""
        with self._stream("upload a volume", resource) as stream:
            stream.begin(lambda inner: self._volume(pool, name).upload(inner, 0, length))
            sent = 0
            while chunk := read(_PART):
                stream.send(chunk)
                sent += len(chunk)
                if progress is not None:
                    progress(sent)

    def download_volume(
        self, pool: str, name: str, write: Callable[[bytes], object], length: int, resource: str
    ) -> None:
        """Hand the first `length` bytes of a volume to `write`, over the connection."""
        with self._stream("download a volume", resource) as stream:
            stream.begin(lambda inner: self._volume(pool, name).download(inner, 0, length))
            while chunk := stream.receive():
                write(chunk)

    def fill_volume(
        self,
        pool: str,
        name: str,
        blocks: Blocks,
        size: int,
        resource: str,
        *,
        is_blank: bool,
        begin: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Write blocks into a volume, in order; what is between them reads as zeros afterwards, from byte `begin` up to
        `size`.

        is_blank: it was never written and reads as zeros; what is between is then left alone. progress is told how far
        it is.
        """
        with self._errors("fill a volume", resource):
            volume = self._volume(pool, name)
        if is_blank:
            self._fill_parts(volume, blocks, resource, progress)
        else:
            self._fill_all(volume, blocks, begin, size, resource, progress)

    def _fill_all(
        self,
        volume: Any,
        blocks: Blocks,
        begin: int,
        size: int,
        resource: str,
        progress: Callable[[int], None] | None,
    ) -> None:
        """One stream; the node's libvirt writes the zeros, so that they do not travel."""
        flags = libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM
        with self._stream("fill a volume", resource) as stream:
            stream.begin(lambda inner: volume.upload(inner, begin, size - begin, flags))
            done = begin
            for offset, data in blocks:
                if offset > done:
                    stream.skip(offset - done)
                stream.send(data)
                done = offset + len(data)
                if progress is not None:
                    progress(done)
            if size > done:
                stream.skip(size - done)

    def _fill_parts(self, volume: Any, blocks: Blocks, resource: str, progress: Callable[[int], None] | None) -> None:
        """A stream for each run of blocks."""
        source = iter(blocks)
        block = next(source, None)
        while block is not None:
            with self._stream("fill a volume", resource) as stream:
                start = end = block[0]
                stream.begin(partial(_upload_from, volume, start))
                while block is not None and block[0] == end:
                    stream.send(block[1])
                    end += len(block[1])
                    if progress is not None:
                        progress(end)
                    block = next(source, None)

    def read_volume(self, pool: str, name: str, size: int, resource: str) -> Iterator[bytes]:
        """Yield the first `size` bytes of a volume, over the connection."""
        with self._stream("read a volume", resource) as stream:
            stream.begin(lambda inner: self._volume(pool, name).download(inner, 0, size))
            while chunk := stream.receive():
                yield chunk

    @contextlib.contextmanager
    def _stream(self, doing: str, resource: str) -> Iterator[_Stream]:
        """Open a stream; finish it in the end, or abort it. Its parts are watched, not what is done between them."""
        stream = _Stream(self._connection, lambda: self._errors(doing, resource, limit_s=_TRANSFER_LIMIT_S))
        try:
            yield stream
            stream.finish()
        except BaseException:
            stream.abort()
            raise

    def volume_sizes(self, pool: str) -> dict[str, int]:
        """Return the virtual sizes, in bytes, of a pool's volumes; a call for each of them."""
        with self._errors("list volumes", f"pool {pool}") as call:
            sizes = {}
            for volume in self._connection.storagePoolLookupByName(pool).listAllVolumes():
                call.go_on()
                with self._unless_lost():  # gone since it was listed
                    sizes[volume.name()] = int(volume.info()[1])
            return sizes

    def _volume(self, pool: str, name: str) -> Any:
        return self._connection.storagePoolLookupByName(pool).storageVolLookupByName(name)

    # Secrets, and what pools can be made of

    def secrets(self) -> frozenset[str]:
        """Return the UUIDs of the secrets that have a value or wait for one; one call."""
        with self._errors("list secrets"):
            return frozenset(secret.UUIDString() for secret in self._connection.listAllSecrets())

    def set_secret(self, uuid: str, xml: str, value: bytes, resource: str) -> None:
        """Define a secret, unless it is there, and give it its value."""
        with self._errors("keep the credential", resource):
            try:
                secret = self._connection.secretLookupByUUIDString(uuid)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_SECRET:
                    raise
                secret = self._connection.secretDefineXML(xml)
            secret.setValue(value)

    def remove_secret(self, uuid: str, resource: str) -> None:
        """Forget a secret; gone already is fine."""
        with contextlib.suppress(NotFoundError), self._errors("remove the credential", resource):
            self._connection.secretLookupByUUIDString(uuid).undefine()

    def find_pool_sources(self, pool_type: str, xml: str, *, timeout_s: float) -> str:
        """Ask the node what storage pools of libvirt's type could be made of; returns libvirt's XML.

        The tools behind it wait long for a server that hangs: past the time limit this raises, and lets them be.
        """

        def ask() -> str:
            with self._errors("look for the source", limit_s=math.inf):
                return str(self._connection.findStoragePoolSources(pool_type, xml))

        late = Problem(f"looking for the source took more than {timeout_s:g} s", "", self.node)
        return self._slowly(ask, timeout_s, late)

    # Networks

    def networks(self) -> list[NetworkRecord]:
        """Read all libvirt networks."""
        with self._errors("list networks"):
            autostarted = {
                network.UUIDString()
                for network in self._connection.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_AUTOSTART)
            }
            return [
                NetworkRecord(
                    network.name(),
                    network.UUIDString(),
                    bool(network.isActive()),
                    network.UUIDString() in autostarted,
                    network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE),
                )
                for network in self._connection.listAllNetworks()
            ]

    def active_networks(self) -> frozenset[str]:
        """Names of the networks that instances can attach to; one call."""
        with self._errors("list networks"):
            found = self._connection.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE)
            return frozenset(network.name() for network in found)

    def define_network(self, xml: str, resource: str) -> None:
        """Define it, start it and let it start with the node."""
        with self._errors("define the network", resource):
            network = self._connection.networkDefineXML(xml)
            if not network.isActive():
                network.create()
            network.setAutostart(1)

    def update_port_group(
        self, network: str, xml: str, resource: str, *, command: Literal["add", "modify", "delete"]
    ) -> None:
        """Change one port group of a network, live and for good."""
        commands = {
            "add": libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST,
            "modify": libvirt.VIR_NETWORK_UPDATE_COMMAND_MODIFY,
            "delete": libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE,
        }
        with self._errors("change the port group", resource):
            found = self._connection.networkLookupByName(network)
            flags = libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
            if found.isActive():
                flags |= libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE
            found.update(commands[command], libvirt.VIR_NETWORK_SECTION_PORTGROUP, -1, xml, flags)

    def remove_network(self, name: str, resource: str) -> None:
        """Stop and undefine it; gone already is fine."""
        with contextlib.suppress(NotFoundError), self._errors("remove the network", resource):
            network = self._connection.networkLookupByName(name)
            if network.isActive():
                network.destroy()
            network.undefine()


def _upload_from(volume: Any, offset: int, stream: Any) -> None:
    volume.upload(stream, offset, 0)


class _Stream:
    """libvirt's stream, of which each call is watched."""

    def __init__(
        self, connection: libvirt.virConnect, errors: Callable[[], contextlib.AbstractContextManager[Call]]
    ) -> None:
        self._errors = errors
        with errors():
            self._inner = connection.newStream()

    def begin(self, call: Callable[[Any], object]) -> None:
        """Let libvirt open what the stream goes to or comes from."""
        with self._errors():
            call(self._inner)

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        with self._errors() as call:
            while view:
                view = view[self._inner.send(bytes(view[:_PART])) :]
                call.go_on()

    def skip(self, length: int) -> None:
        """Send that there is nothing for so many bytes."""
        with self._errors():
            self._inner.sendHole(length)

    def receive(self) -> bytes:
        """Return what comes next; nothing at the end."""
        with self._errors():
            return bytes(self._inner.recv(_PART))

    def finish(self) -> None:
        with self._errors():
            self._inner.finish()

    def abort(self) -> None:
        with contextlib.suppress(PextraError), self._errors():
            self._inner.abort()


def _explain_lost_move(source: str, target: str, resource: str) -> Problem:
    return Problem(
        f"move it to {target}: that node froze while it took over, and nobody knows whether it runs there",
        f"It is paused on {source}. Look at {target} first: if it does not run there, resume it on {source} (virsh "
        "resume); never let it run on both.",
        source,
        resource,
    )


def _affect(live: bool, config: bool) -> int:
    flags = libvirt.VIR_DOMAIN_AFFECT_LIVE if live else 0
    return int(flags | (libvirt.VIR_DOMAIN_AFFECT_CONFIG if config else 0))


def _probe(node: str, address: str) -> None:
    """libvirt's own connect has no time limit: find out within a bound whether anything listens."""
    try:
        socket.create_connection((address, TLS_PORT), timeout=_CONNECT_TIMEOUT_S).close()
    except ConnectionRefusedError as error:
        problem = Problem(
            f"nothing listens on {address} port {TLS_PORT}: libvirtd does not run there",
            f"On {node}: systemctl status libvirtd-tls.socket libvirtd; or run site.yml --tags node --limit {node}.",
            node,
        )
        raise UnreachableError([problem]) from error
    except OSError as error:
        problem = Problem(
            f"{address} port {TLS_PORT} does not answer within {_CONNECT_TIMEOUT_S:g} s ({error})",
            "Check that the node is up and that the network lets the port through.",
            node,
        )
        raise UnreachableError([problem]) from error


def _explain_connect(node: str, uri: str, error: libvirt.libvirtError) -> Problem:
    text = (error.get_error_message() or str(error)).strip()
    parts = urlsplit(uri)
    if parts.scheme == "qemu+tls" and parts.hostname is not None:
        # libvirt tells what TLS finds fault with in words only.
        try:
            context = _tls.context_for(node)
        except UnreachableError as own:
            return own.problems[0]
        fault = _tls.find_fault(node, "its libvirtd", parts.hostname, parts.port or TLS_PORT, context)
        if fault is not None:
            return fault
    return Problem(f"libvirt cannot be reached: {text}", f"On {node}: systemctl status libvirtd.", node)


def _errno_of(error: libvirt.libvirtError) -> int | None:
    """Return the operating system's reason, where that is what libvirt reports; its text is of some language."""
    return error.get_int1() if error.get_error_code() == libvirt.VIR_ERR_SYSTEM_ERROR else None


@contextlib.contextmanager
def _passing_over(*codes: int) -> Iterator[None]:
    """Take these errors of libvirt's for an answer, and no other."""
    try:
        yield
    except libvirt.libvirtError as error:
        if error.get_error_code() not in codes:
            raise


def _answers(uri: str) -> bool:
    """Whether a second connection opens. Called in a thread that is left alone if it hangs."""
    try:
        libvirt.open(uri).close()
    except libvirt.libvirtError:
        return False
    return True


def _shut(uri: str) -> None:
    parts = urlsplit(uri)
    if parts.hostname is not None:
        shut_sockets(parts.hostname, parts.port or TLS_PORT)
    elif not parts.scheme.startswith("test"):
        shut_sockets(None, 0)


def _note_hung(node: str, uri: str, opening_s: float | None) -> Problem:
    """Note that libvirtd is frozen, and say it. opening_s: how long opening was waited for; None: it had been open."""
    _hung_nodes.remember(node, _DAEMON)
    parts = urlsplit(uri)
    where = f"{parts.hostname} port {parts.port or TLS_PORT}" if parts.hostname else "its local socket"
    how_long = f"within {ANSWER_S if opening_s is None else opening_s:g} s"
    then = "opens no connection" if opening_s is None else "takes the connection, and does not answer"
    return Problem(
        f"libvirtd is frozen or overloaded: {where} {then} {how_long}",
        f"On {node}: systemctl status libvirtd. Then run again.",
        node,
    )


def _silence_libvirt() -> None:
    """libvirt otherwise prints every error to standard error, where Ansible takes it for output."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
