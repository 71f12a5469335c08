# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only importer of Ceph's client libraries: a door to the images of one pool of Ceph, from the coordinator.

libvirt makes, clones, resizes and deletes images of Ceph, and cannot fill or read them. Nothing here decides anything.
A door is safe to use from several threads.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import rados
import rbd

from ..._model.errors import HypervisorError, Problem
from ..bounded import TooLateError, bounded
from ..host.blocks import BLOCK, Blocks, drop_zeros

# A Ceph that does not answer must hang nobody: the client itself waits for ever.
_TIMEOUTS = {"client_mount_timeout": "15", "rados_mon_op_timeout": "30", "rados_osd_op_timeout": "120"}
_CLOSE_S = 10.0
_WRITERS = 4
# Clones hang on this snapshot of an image's copy. libvirt finds it, as nothing was written since.
SNAPSHOT = "pextra"


class CephPool:
    """An open connection to one pool of Ceph. Open it with `connect`."""

    def __init__(self, cluster: Any, ioctx: Any, resource: str) -> None:
        self._cluster = cluster
        self._ioctx = ioctx
        self._resource = resource
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    @classmethod
    def connect(cls, monitors: tuple[str, ...], pool: str, user: str, key: str, resource: str) -> CephPool:
        """monitors are host:port; resource names the storage pool in errors. Raises HypervisorError."""
        settings = {**_TIMEOUTS, "mon_host": ",".join(monitors), "key": key}
        try:
            cluster = rados.Rados(rados_id=user, conf=settings)
            cluster.connect()
        except rados.Error as error:
            raise HypervisorError(
                [
                    Problem(
                        f"the coordinator cannot reach Ceph at {', '.join(monitors)}: {error}",
                        "Check the monitors, and the pool's user and key.",
                        resource=resource,
                    )
                ]
            ) from error
        try:
            return cls(cluster, cluster.open_ioctx(pool), resource)
        except rados.Error as error:
            cluster.shutdown()
            raise HypervisorError(
                [Problem(f"Ceph does not open its pool {pool}: {error}", "Check that it exists.", resource=resource)]
            ) from error

    def close(self) -> None:
        def close() -> None:
            self._ioctx.close()
            self._cluster.shutdown()

        with contextlib.suppress(TooLateError, rados.Error):  # it waits for servers that may have gone
            bounded(close, _CLOSE_S, rados.Error)

    @contextlib.contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (rados.Error, rbd.Error) as error:
            remedy = "Free space in Ceph, or add disks." if isinstance(error, (rados.NoSpace, rbd.NoSpace)) else ""
            raise HypervisorError([Problem(f"{doing}: {error}", remedy, resource=self._resource)]) from error

    def fill(self, name: str, blocks: Blocks, progress: Callable[[int], None] | None = None) -> None:
        """Write blocks into an image that was never written before, several at once. progress is told how far it is."""
        with self._errors(f"write {name}"), rbd.Image(self._ioctx, name) as image:
            with ThreadPoolExecutor(max_workers=_WRITERS) as threads:
                pending: set[Future[int]] = set()
                for offset, data in blocks:
                    if len(pending) >= 2 * _WRITERS:
                        done, pending = wait(pending, return_when=FIRST_COMPLETED)
                        for one in done:
                            one.result()
                    pending.add(threads.submit(image.write, data, offset))
                    if progress is not None:
                        progress(offset + len(data))
                for one in pending:
                    one.result()
            image.flush()

    def read(self, name: str, size: int) -> Iterator[tuple[int, bytes]]:
        """Yield the blocks of an image, up to a size in bytes, that are not zeros. What was not written is not read."""
        with self._errors(f"read {name}"), rbd.Image(self._ioctx, name, read_only=True) as image:
            yield from drop_zeros(
                (offset, image.read(offset, min(BLOCK, size - offset))) for offset in _written(image, size)
            )

    def seal(self, name: str) -> None:
        """Make the snapshot that clones of an image hang on. There already is fine."""
        with self._errors(f"make a snapshot of {name}"), rbd.Image(self._ioctx, name) as image:
            if SNAPSHOT not in {snapshot["name"] for snapshot in image.list_snaps()}:
                image.create_snap(SNAPSHOT)
            if not image.is_protected_snap(SNAPSHOT):
                image.protect_snap(SNAPSHOT)

    @contextlib.contextmanager
    def sealed(self, name: str) -> Iterator[None]:
        """Have the snapshot show what is in an image now, for clones that are made meanwhile; one at a time.

        Clones that hang on it already keep it: what they share has not changed. In the end it goes, unless some do.
        """
        with self._lock_of(name):
            self._unseal(name)
            self.seal(name)
            try:
                yield
            finally:
                self._unseal(name)

    def unseal(self, name: str) -> None:
        """Take that snapshot off an image again, unless a clone hangs on it. No snapshot is fine, and no image."""
        with self._lock_of(name):
            self._unseal(name)

    def _lock_of(self, name: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())

    def _unseal(self, name: str) -> None:
        with self._errors(f"remove the snapshot of {name}"):
            try:
                image = rbd.Image(self._ioctx, name)
            except rbd.ImageNotFound:
                return
            with image:
                if SNAPSHOT not in {snapshot["name"] for snapshot in image.list_snaps()}:
                    return
                image.set_snap(SNAPSHOT)
                has_clones = any(True for _ in image.list_children2())
                image.set_snap(None)
                if has_clones:
                    return
                if image.is_protected_snap(SNAPSHOT):
                    image.unprotect_snap(SNAPSHOT)
                image.remove_snap(SNAPSHOT)

    def parents(self, names: Iterable[str]) -> dict[str, str]:
        """Return what images are clones of, as pool/image. Those that are clones of nothing, or gone, are left out."""

        def look(name: str) -> tuple[str, str] | None:
            try:
                with rbd.Image(self._ioctx, name, read_only=True) as image:
                    parent = image.parent_info()
            except rbd.ImageNotFound:  # of the parent, or of the image
                return None
            return name, f"{parent[0]}/{parent[1]}"

        with self._errors("look for what volumes are clones of"), ThreadPoolExecutor(max_workers=_WRITERS) as threads:
            return dict(found for found in threads.map(look, names) if found is not None)

    def shrink(self, name: str, size: int) -> None:
        """Cut an image off at `size` bytes, which libvirt does not; what lies beyond is lost."""
        with self._errors(f"shrink {name}"), rbd.Image(self._ioctx, name) as image:
            image.resize(size, allow_shrink=True)

    def children(self, name: str) -> list[str]:
        """Return what hangs on an image: clones, as pool/image. Nothing if there is no such image."""
        with self._errors(f"look for the clones of {name}"):
            try:
                with rbd.Image(self._ioctx, name, read_only=True) as image:
                    found = set()
                    for snapshot in image.list_snaps():
                        image.set_snap(snapshot["name"])
                        found |= {f"{child['pool']}/{child['image']}" for child in image.list_children2()}
                    return sorted(found)
            except rbd.ImageNotFound:
                return []

    def flatten(self, name: str) -> None:
        """Make a clone independent of its parent. One that has none is independent already."""
        with self._errors(f"make {name} independent of its image"), rbd.Image(self._ioctx, name) as image:
            try:
                image.parent_id()
            except rbd.ImageNotFound:
                return
            image.flatten()


def _written(image: Any, size: int) -> Iterator[int]:
    """Yield the offsets of the blocks in which something was written."""
    extents: list[tuple[int, int]] = []

    def note(offset: int, length: int, exists: bool) -> None:
        if exists:
            extents.append((offset, length))

    image.diff_iterate(0, size, None, note)
    done = 0
    for offset, length in sorted(extents):
        start = max(done, offset - offset % BLOCK)
        yield from range(start, min(offset + length, size), BLOCK)
        done = max(done, -(-(offset + length) // BLOCK) * BLOCK)
