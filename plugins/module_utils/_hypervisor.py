"""The only importer of libvirt: a typed door to one node's hypervisor.

Everything is read in bulk, errors become ours, and nothing here decides anything. A connection is safe to use from
several threads.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

import libvirt

from ._errors import HypervisorError, NotFoundError, Problem, UnreachableError

if TYPE_CHECKING:
    from ._disk_blocks import Blocks

TLS_PORT = 16514
_CONNECT_TIMEOUT_S = 5.0
_KEEPALIVE_INTERVAL_S = 5
_KEEPALIVE_COUNT = 4
_KEEPALIVE_AFTER_S = 1.0
POOL_START_TIMEOUT_S = 60.0
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

    def __init__(self, node: str, connection: libvirt.virConnect, *, is_local: bool = False) -> None:
        """is_local: it runs on this host, so that a volume's path can be opened here."""
        self.node = node
        self.is_local = is_local
        self._connection = connection
        # Storage pools that were defined and not started yet, by UUID.
        self._defined: dict[str, Any] = {}

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
        # A local socket breaks at once, so it needs no keepalive; and with an event loop every call costs more.
        is_remote = urlsplit(uri).hostname is not None
        try:
            if is_remote:
                _start_event_loop()
                connection = libvirt.open(uri)
                connection.setKeepAlive(_KEEPALIVE_INTERVAL_S, _KEEPALIVE_COUNT)
            else:
                with _loop_lock:  # must not see half an event loop
                    connection = libvirt.open(uri)
        except libvirt.libvirtError as error:
            raise UnreachableError([_explain_connect(node, error)]) from error
        return cls(node, connection, is_local=not is_remote)

    def close(self) -> None:
        with contextlib.suppress(libvirt.libvirtError):
            self._connection.close()

    @contextlib.contextmanager
    def _errors(self, doing: str, resource: str | None = None) -> Iterator[None]:
        try:
            yield
        except libvirt.libvirtError as error:
            kind = NotFoundError if error.get_error_code() in _NOT_FOUND else HypervisorError
            text = (error.get_error_message() or str(error)).strip()
            raise kind([Problem(f"{doing}: {text}", _remedy(error), self.node, resource)]) from error

    # Host

    def host(self) -> HostRecord:
        """Read the host's size."""
        with self._errors("read the host"):
            info = self._connection.getInfo()
            free = 0
            with contextlib.suppress(libvirt.libvirtError):  # the test driver does not know
                free = self._connection.getFreeMemory() // 1024**2
            return HostRecord(self._connection.getHostname(), info[2], info[1], free, self._connection.getLibVersion())

    def supports_kvm(self) -> bool:
        """Tell whether this libvirt offers KVM."""
        try:
            self._connection.getDomainCapabilities(None, None, None, "kvm", 0)
        except libvirt.libvirtError:
            return False
        return True

    # Domains

    def domains(self) -> list[DomainRecord]:
        """Read all domains: five list calls, and one call per domain and kind of XML."""
        with self._errors("list instances"):
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
        with self._errors("list running instances"):
            texts = []
            for domain in self._connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
                with contextlib.suppress(libvirt.libvirtError):  # stopped since it was listed
                    texts.append(domain.XMLDesc(0))
            return texts

    def live_xml_of(self, uuid: str) -> str:
        """Read the live XML of one domain; nothing if it does not run."""
        with self._errors("read a running instance"):
            domain = self._connection.lookupByUUIDString(uuid)
            return str(domain.XMLDesc(0)) if domain.isActive() else ""

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
        with self._errors("start the instance", resource):
            domain = self._connection.lookupByUUIDString(uuid)
            if not domain.isActive():
                domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if paused else 0)

    def resume_domain(self, uuid: str, resource: str) -> None:
        with self._errors("resume the instance", resource):
            self._connection.lookupByUUIDString(uuid).resume()

    def suspend_domain(self, uuid: str, resource: str) -> None:
        with self._errors("pause the instance", resource):
            self._connection.lookupByUUIDString(uuid).suspend()

    def request_shutdown(self, uuid: str, resource: str) -> None:
        """Press the power button; the guest decides."""
        with self._errors("stop the instance", resource):
            domain = self._connection.lookupByUUIDString(uuid)
            if domain.isActive():
                domain.shutdown()

    def force_stop(self, uuid: str, resource: str) -> None:
        """Pull the plug; stopped already is fine."""
        with self._errors("force the instance off", resource):
            domain = self._connection.lookupByUUIDString(uuid)
            if domain.isActive():
                domain.destroy()

    def attach_device(self, uuid: str, xml: str, resource: str, *, live: bool, config: bool) -> None:
        with self._errors("attach a device", resource):
            self._connection.lookupByUUIDString(uuid).attachDeviceFlags(xml, _affect(live, config))

    def detach_device(self, uuid: str, xml: str, resource: str, *, live: bool, config: bool) -> None:
        with self._errors("detach a device", resource):
            self._connection.lookupByUUIDString(uuid).detachDeviceFlags(xml, _affect(live, config))

    def update_device(self, uuid: str, xml: str, resource: str, *, live: bool, config: bool) -> None:
        with self._errors("change a device", resource):
            self._connection.lookupByUUIDString(uuid).updateDeviceFlags(xml, _affect(live, config))

    def resize_disk(self, uuid: str, target: str, size_bytes: int, resource: str) -> None:
        """Let the running guest see a larger disk."""
        with self._errors("grow a disk", resource):
            self._connection.lookupByUUIDString(uuid).blockResize(
                target, size_bytes, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES
            )

    def limit_disk(
        self, uuid: str, target: str, tuning: Mapping[str, int], resource: str, *, live: bool, config: bool
    ) -> None:
        """Limit a disk's input and output, at once and for good. tuning: libvirt's names; 0 is no limit."""
        with self._errors("limit a disk", resource):
            self._connection.lookupByUUIDString(uuid).setBlockIoTune(target, dict(tuning), _affect(live, config))

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
        with self._errors(f"move it to {target.node}", resource):
            domain = self._connection.lookupByUUIDString(uuid)
            domain.migrate3(target._connection, parameters, flags)

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
        return _bounded(self._read_pools, _POOLS_TIMEOUT_S, late)

    def _read_pools(self) -> list[PoolRecord]:
        with self._errors("list storage pools"):
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
            with self._errors("start the storage pool", resource):
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
        _bounded(start, timeout_s, late)

    def set_pool_autostart(self, uuid: str, resource: str) -> None:
        with self._errors("set the storage pool's autostart", resource):
            self._connection.storagePoolLookupByUUIDString(uuid).setAutostart(1)

    def remove_pool(self, uuid: str, resource: str) -> None:
        """Stop and undefine it; its directory and what is in it stay. Gone already is fine."""
        with contextlib.suppress(NotFoundError), self._errors("remove the storage pool", resource):
            pool = self._connection.storagePoolLookupByUUIDString(uuid)
            if pool.isActive():
                pool.destroy()
            pool.undefine()

    def volume_names(self, pool: str) -> set[str]:
        """Names of the volumes that libvirt knows in a pool; one call."""
        with self._errors("list volumes", f"pool {pool}"):
            return set(self._connection.storagePoolLookupByName(pool).listVolumes())

    def describe_volumes(self, pool: str, concerns: Callable[[str], bool]) -> dict[str, str]:
        """Read the XML of those volumes of a pool whose names concern the caller: one call, and one for each of them.

        For the format libvirt looks into a volume; what a caller relies on is the format that was stated.
        """
        with self._errors("list volumes", f"pool {pool}"):
            found = {}
            for volume in self._connection.storagePoolLookupByName(pool).listAllVolumes():
                name = volume.name()
                if concerns(name):
                    with contextlib.suppress(libvirt.libvirtError):  # gone since it was listed
                        found[name] = str(volume.XMLDesc())
            return found

    def refresh_pool(self, pool: str) -> None:
        """Let libvirt look again: needed where another node has written."""
        with self._errors("refresh the storage pool", f"pool {pool}"):
            self._connection.storagePoolLookupByName(pool).refresh()

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
        with self._errors("list volumes", f"pool {pool}"):
            found = {}
            for volume in self._connection.storagePoolLookupByName(pool).listAllVolumes():
                try:
                    path = ET.fromstring(volume.XMLDesc()).findtext("backingStore/path")
                except libvirt.libvirtError as error:
                    if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_VOL:  # gone since it was listed
                        continue
                    raise
                if path:
                    found[volume.name()] = path
            return found

    def volume_path(self, pool: str, name: str) -> str:
        with self._errors("read a volume", f"volume {name}"):
            return str(self._volume(pool, name).path())

    def create_volume(self, pool: str, xml: str, resource: str) -> None:
        with self._errors("create a volume", resource):
            volume = self._connection.storagePoolLookupByName(pool).createXML(xml)
            if volume.path().startswith("/dev/"):
                self._wait_for_device(volume)

    def _wait_for_device(self, volume: Any) -> None:
        """Wait until the node has the device: udev makes it a moment after the volume, and libvirt does not wait."""
        deadline = time.monotonic() + _DEVICE_TIMEOUT_S
        while True:
            stream = self._connection.newStream()
            try:
                volume.download(stream, 0, 1)
            except libvirt.libvirtError as error:
                # There is no such file, and then for a moment no such device (zvols).
                if "No such " not in str(error) or time.monotonic() >= deadline:
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
            self._connection.storagePoolLookupByName(pool).createXMLFrom(xml, origin)

    def grow_volume(self, pool: str, name: str, size_bytes: int, resource: str, *, allocate: bool = False) -> None:
        """Make it larger. allocate: take the space at once, which only raw volumes can."""
        with self._errors("grow a volume", resource):
            flags = libvirt.VIR_STORAGE_VOL_RESIZE_ALLOCATE if allocate else 0
            self._volume(pool, name).resize(size_bytes, flags)

    def shrink_volume(self, pool: str, name: str, size_bytes: int, resource: str) -> None:
        """Cut it off; what lies beyond is lost."""
        with self._errors("shrink a volume", resource):
            self._volume(pool, name).resize(size_bytes, libvirt.VIR_STORAGE_VOL_RESIZE_SHRINK)

    def delete_volume(
        self, pool: str, name: str, resource: str, *, wipe: bool = False, with_snapshots: bool = False
    ) -> None:
        """Delete a volume and what is in it; gone already is fine.

        wipe: write zeros first, where the next volume would show what this one held. with_snapshots: of an image of
        Ceph; it is refused while a clone hangs on one.
        """
        with contextlib.suppress(NotFoundError), self._errors("delete a volume", resource):
            volume = self._volume(pool, name)
            if wipe:
                volume.wipe()
            volume.delete(libvirt.VIR_STORAGE_VOL_DELETE_WITH_SNAPSHOTS if with_snapshots else 0)

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
        with self._errors("upload a volume", resource):
            stream = self._connection.newStream()
            try:
                self._volume(pool, name).upload(stream, 0, length)
                sent = 0
                while chunk := read(256 * 1024):
                    while chunk:
                        taken = stream.send(chunk)
                        sent += taken
                        chunk = chunk[taken:]
                    if progress is not None:
                        progress(sent)
                stream.finish()
            except BaseException:
                with contextlib.suppress(libvirt.libvirtError):
                    stream.abort()
                raise

    def download_volume(
        self, pool: str, name: str, write: Callable[[bytes], object], length: int, resource: str
    ) -> None:
        """Hand the first `length` bytes of a volume to `write`, over the connection."""
        with self._errors("download a volume", resource):
            stream = self._connection.newStream()
            try:
                self._volume(pool, name).download(stream, 0, length)
                while chunk := stream.recv(256 * 1024):
                    write(chunk)
                stream.finish()
            except BaseException:
                with contextlib.suppress(libvirt.libvirtError):
                    stream.abort()
                raise

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
                self._fill_parts(volume, blocks, progress)
            else:
                self._fill_all(volume, blocks, begin, size, progress)

    def _fill_all(
        self, volume: Any, blocks: Blocks, begin: int, size: int, progress: Callable[[int], None] | None
    ) -> None:
        """One stream; the node's libvirt writes the zeros, so that they do not travel."""
        with _sending(self._connection) as stream:
            volume.upload(stream, begin, size - begin, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
            done = begin
            for offset, data in blocks:
                if offset > done:
                    stream.sendHole(offset - done)
                _send(stream, data)
                done = offset + len(data)
                if progress is not None:
                    progress(done)
            if size > done:
                stream.sendHole(size - done)

    def _fill_parts(self, volume: Any, blocks: Blocks, progress: Callable[[int], None] | None) -> None:
        """A stream for each run of blocks."""
        source = iter(blocks)
        block = next(source, None)
        while block is not None:
            with _sending(self._connection) as stream:
                end = block[0]
                volume.upload(stream, end, 0)
                while block is not None and block[0] == end:
                    _send(stream, block[1])
                    end += len(block[1])
                    if progress is not None:
                        progress(end)
                    block = next(source, None)

    def read_volume(self, pool: str, name: str, size: int, resource: str) -> Iterator[bytes]:
        """Yield the first `size` bytes of a volume, over the connection."""
        with self._errors("read a volume", resource):
            stream = self._connection.newStream()
            try:
                self._volume(pool, name).download(stream, 0, size)
                while chunk := stream.recv(256 * 1024):
                    yield chunk
                stream.finish()
            except BaseException:
                with contextlib.suppress(libvirt.libvirtError):
                    stream.abort()
                raise

    def volume_sizes(self, pool: str) -> dict[str, int]:
        """Return the virtual sizes, in bytes, of a pool's volumes; a call for each of them."""
        with self._errors("list volumes", f"pool {pool}"):
            sizes = {}
            for volume in self._connection.storagePoolLookupByName(pool).listAllVolumes():
                with contextlib.suppress(libvirt.libvirtError):  # gone since it was listed
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
            with self._errors("look for the source"):
                return str(self._connection.findStoragePoolSources(pool_type, xml))

        return _bounded(
            ask, timeout_s, Problem(f"looking for the source took more than {timeout_s:g} s", "", self.node)
        )

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


@contextlib.contextmanager
def _sending(connection: libvirt.virConnect) -> Iterator[Any]:
    stream = connection.newStream()
    try:
        yield stream
        stream.finish()
    except BaseException:
        with contextlib.suppress(libvirt.libvirtError):
            stream.abort()
        raise


def _send(stream: Any, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[stream.send(bytes(view[: 256 * 1024])) :]


def _bounded(call: Callable[[], Result], timeout_s: float, late: Problem) -> Result:
    """Return what `call` returns, or raise `late` when it takes too long. libvirt's calls cannot be cancelled: the
    thread is left alone, and ends with the process.
    """
    outcome: Future[Result] = Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except (HypervisorError, libvirt.libvirtError) as error:
            outcome.set_exception(error)

    threading.Thread(target=work, name="libvirt-bounded", daemon=True).start()
    try:
        return outcome.result(timeout_s)
    except TimeoutError as error:
        raise HypervisorError([late]) from error


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


def _explain_connect(node: str, error: libvirt.libvirtError) -> Problem:
    text = (error.get_error_message() or str(error)).strip()
    low = text.lower()
    renew = f"Run site.yml --tags node --limit {node}, which renews it"
    if "expired" in low:
        return Problem(f"its certificate, or ours, has expired: {text}", f"{renew}.", node)
    if "trusted" in low or "issuer" in low or "unknown ca" in low:
        return Problem(
            f"its certificate is not of this deployment's CA: {text}",
            "Find out to which deployment the node belongs; decommission it there first.",
            node,
        )
    if "hostname" in low or "owner" in low:
        return Problem(f"its certificate does not name it: {text}", f"{renew}.", node)
    if "certificate" in low or "rejected" in low or "handshake" in low or "authentication" in low:
        return Problem(
            f"the TLS connection was refused: {text}",
            f"The node must accept this coordinator's name: run site.yml --tags node --limit {node}.",
            node,
        )
    return Problem(f"libvirt cannot be reached: {text}", "On the node: systemctl status libvirtd.", node)


def _remedy(error: libvirt.libvirtError) -> str:
    text = str(error).lower()
    if "no space left" in text:
        return "The disk is full: free space, or use another storage pool."
    if any(mark in text for mark in ("keepalive", "closed", "end of file", "broken pipe")):
        return "The connection broke: check the node, then run again."
    return ""


def _silence_libvirt() -> None:
    """libvirt otherwise prints every error to standard error, where Ansible takes it for output."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)


_loop_lock = threading.Lock()
_loop_thread: threading.Thread | None = None


def _start_event_loop() -> None:
    """Keepalive needs libvirt's event loop; one thread serves all connections."""
    global _loop_thread  # noqa: PLW0603 - libvirt's event loop is one per process
    with _loop_lock:
        if _loop_thread is not None:
            return
        libvirt.virEventRegisterDefaultImpl()

        def run() -> None:
            while True:
                libvirt.virEventRunDefaultImpl()

        # While it runs, each call costs more. Who is done by then needs no keepalive.
        _loop_thread = threading.Timer(_KEEPALIVE_AFTER_S, run)
        _loop_thread.name, _loop_thread.daemon = "libvirt-events", True
        _loop_thread.start()
