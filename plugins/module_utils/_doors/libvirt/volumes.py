# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes of storage pools."""

from __future__ import annotations

import contextlib
import errno
import math
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import libvirt

from ..._model.errors import NotFoundError, Problem
from .connection import Connection
from .faults import errno_of, passing_over

# What makes or fills a volume: as long as the slowest disk takes for it.
_VOLUME_LIMIT_S = 300.0
_SLOWEST_BYTES_PER_S = 8 * 1024**2
_ZVOLS = "/dev/zvol/"
_DEVICE_TIMEOUT_S = 20.0
_DEVICE_POLL_S = 0.1
_NO_DEVICE = {errno.ENOENT, errno.ENXIO, errno.ENODEV}


class Volumes(Connection):
    """What is asked and done of volumes, but for what is in them."""

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
                with passing_over(libvirt.VIR_ERR_NO_STORAGE_VOL):  # gone since it was listed
                    path = ET.fromstring(volume.XMLDesc()).findtext("backingStore/path")
                    if path:
                        found[volume.name()] = path
            return found

    def volume_path(self, pool: str, name: str) -> str:
        with self._errors("read a volume", f"volume {name}"):
            return str(self._volume(pool, name).path())

    def create_volume(self, pool: str, xml: str, resource: str) -> None:

        def create() -> None:
            found = self._connection.storagePoolLookupByName(pool)
            volume = found.createXML(xml)
            if volume.path().startswith(_ZVOLS):
                # libvirt reads all zvols of the pool after it has made one, and gives that the size of the last.
                found.refresh()
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
                if errno_of(error) not in _NO_DEVICE or time.monotonic() >= deadline:
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
