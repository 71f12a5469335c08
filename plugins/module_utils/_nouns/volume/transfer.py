# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the coordinator into volumes and back, compared after the copy."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from ..._cloud import Cloud
from ..._doors.host.block_writing import write_disk
from ..._doors.host.blocks import Blocks, open_disk
from ..._doors.host.foreign_disk_inspection import inspect_disk
from ..._doors.host.image_files import digest_of
from ..._doors.libvirt.hypervisor import Hypervisor
from ..._engine.progress import note_transfer
from ..._model.errors import PextraError, Problem
from ..._model.rows import Row
from ..pool.blocks import read_blocks, require_blocks, write_blocks
from .definition import render_volume
from .reading import open_regular
from .spec import MAX_IMPORT_MIB

# Bytes: progress is told after each.
_AT_ONCE = 8 * 1024**2


def upload_file(hypervisor: Hypervisor, data: Mapping[str, Any], label: str) -> None:
    """Write a file of the coordinator into a new volume as it is, and read it back. data: node, pool (its row), volume,
    path, file_format, length, sha256 (None: whatever it is).

    It is looked at once more, and must be the same when all of it has been compared: nobody can give it another header
    in between.
    """
    pool, volume = data["pool"].name, data["volume"]
    hypervisor.delete_volume(pool, volume, label)  # what a killed run has left
    try:
        with _open_unchanging(data, label) as file:
            size = data["length"]
            hypervisor.create_volume(pool, render_volume(volume, size, "raw"), label)
            target = _find_here(hypervisor, pool, volume)
            if target is not None:
                _copy(file, target, size, label)
            else:
                _send(hypervisor, data, file, size, label)
            file.seek(0)
            digest = None if data["sha256"] is None else hashlib.sha256()
            is_same = _is_same(hypervisor, data, file, target, digest, label)
        _require_digest(data, digest.hexdigest() if digest else None, label)
        _require_same(hypervisor, is_same, label)
    except PextraError:
        # What arrived is of no use, and on a full disk in the way.
        with contextlib.suppress(PextraError):
            hypervisor.delete_volume(pool, volume, label)
        raise


def fill_from_file(cloud: Cloud, data: Mapping[str, Any], label: str) -> None:
    """Write the disk in a file of the coordinator into a volume that was just made, and read it back. data: as above.

    The caller deletes what could not be finished.
    """
    node, pool, volume = data["node"], data["pool"], data["volume"]
    size = cloud.hypervisor(node).volume_size(pool.name, volume)
    with _open_unchanging(data, label) as file:
        disk = open_disk(file, data["file_format"], label)
        write_blocks(cloud, node, pool, volume, disk.blocks(), size, label)
        require_blocks(cloud, node, pool, volume, disk.blocks(), size, label)
        file.seek(0)
        digest = None if data["sha256"] is None else digest_of(file)
    _require_digest(data, digest, label)


@contextlib.contextmanager
def _open_unchanging(data: Mapping[str, Any], label: str) -> Iterator[BinaryIO]:
    """Open a file that was looked at before, and look again. It must be the same in the end."""
    path = data["path"]
    try:
        with open_regular(path) as file:
            before = _identify(file)
            inspect_disk(file, data["file_format"], MAX_IMPORT_MIB, label)
            if before[0] != data["length"]:
                raise PextraError([Problem(f"{path} has changed since it was looked at", "Run again.", resource=label)])
            file.seek(0)
            yield file
            if _identify(file) != before:
                raise PextraError([Problem(f"{path} has changed while it was copied", "Run again.", resource=label)])
    except OSError as error:
        raise PextraError([Problem(f"{path}: {error.strerror or error}", "", resource=label)]) from error


def _identify(file: BinaryIO) -> tuple[int, int, int, int]:
    """Return what tells a changed file: its length and times. Nobody can set the time of its last change."""
    found = os.fstat(file.fileno())
    return found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def _send(hypervisor: Hypervisor, data: Mapping[str, Any], file: BinaryIO, size: int, label: str) -> None:
    what = f"{label} from its file"
    hypervisor.upload_volume(
        data["pool"].name, data["volume"], file.read, size, label, progress=lambda sent: note_transfer(what, sent, size)
    )


def _copy(file: BinaryIO, target: str, size: int, label: str) -> None:
    """Copy within this host, in the kernel: libvirt's stream takes three times as long. Holes stay holes."""
    at = os.lseek(file.fileno(), 0, os.SEEK_CUR)
    with _open_volume(target, os.O_WRONLY) as volume:
        done = 0
        while done < size:
            try:
                start = os.lseek(file.fileno(), done, os.SEEK_DATA)
                end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                break  # nothing but a hole is left
            os.lseek(volume, start, os.SEEK_SET)
            done = start
            while done < end:
                sent = os.sendfile(volume, file.fileno(), done, min(end - done, _AT_ONCE))
                if not sent:
                    raise OSError(errno.EIO, "it has become shorter")
                done += sent
                note_transfer(f"{label} from its file", done, size)
        os.fsync(volume)
    os.lseek(file.fileno(), at, os.SEEK_SET)  # where the file's buffer believes it to be


def _find_here(hypervisor: Hypervisor, pool: str, volume: str) -> str | None:
    """Return the path of a volume that is a file of this host, which root may write: of NFS it may not always."""
    path = hypervisor.volume_path(pool, volume) if hypervisor.is_local else None
    is_file = path is not None and os.path.isfile(path) and os.access(path, os.R_OK | os.W_OK)
    return path if is_file else None


@contextlib.contextmanager
def _open_volume(path: str, mode: int) -> Iterator[int]:
    descriptor = os.open(path, mode | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_same(
    hypervisor: Hypervisor, data: Mapping[str, Any], file: BinaryIO, target: str | None, digest: Any, label: str
) -> bool:
    """Tell whether the volume holds what the file does, byte by byte. digest: fed with the file, if it is wanted."""
    is_same = True

    def compare(written: bytes) -> None:
        nonlocal is_same
        declared = file.read(len(written))
        is_same = is_same and declared == written
        if digest is not None:
            digest.update(declared)

    if target is None:
        hypervisor.download_volume(data["pool"].name, data["volume"], compare, data["length"], label)
    else:
        with _open_volume(target, os.O_RDONLY) as volume, os.fdopen(os.dup(volume), "rb", buffering=0) as reader:
            left = data["length"]  # libvirt may have made the volume a little longer
            while left and (written := reader.read(min(left, _AT_ONCE))):
                compare(written)
                left -= len(written)
    return is_same and not file.read(1)


def _require_digest(data: Mapping[str, Any], digest: str | None, label: str) -> None:
    if digest != data["sha256"]:
        raise PextraError(
            [
                Problem(
                    f"{data['path']} has the SHA-256 {digest}, and {data['sha256']} was declared",
                    "Copy it again, or correct import_from.sha256.",
                    resource=label,
                )
            ]
        )


def _require_same(hypervisor: Hypervisor, is_same: bool, label: str) -> None:
    if not is_same:
        raise PextraError(
            [
                Problem(
                    "what was written there reads back differently, and was deleted",
                    "Check the node's disk and memory, then run again.",
                    hypervisor.node,
                    label,
                )
            ]
        )


def download_file(hypervisor: Hypervisor, pool: str, volume: str, length: int, path: str, label: str) -> str:
    """Write the first `length` bytes of a volume into a new file of the coordinator that only root may read.

    Returns its SHA-256, of what was received; the file is read again and compared. Raises if the file exists.
    """
    digest = hashlib.sha256()
    done = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:

        def write(chunk: bytes) -> None:
            nonlocal done
            digest.update(chunk)
            if not chunk.strip(b"\0"):
                file.seek(len(chunk), os.SEEK_CUR)  # a hole
            else:
                file.write(chunk)
            done += len(chunk)
            note_transfer(f"{label} to its file", done, length)

        hypervisor.download_volume(pool, volume, write, length, label)
        file.truncate(done)
        file.flush()
        os.fsync(file.fileno())
    with open_regular(path) as again:
        read = hashlib.file_digest(again, "sha256").hexdigest()
    if done != length or read != digest.hexdigest():
        raise _differs(path, label)
    return read


def write_disk_file(
    cloud: Cloud, node: str, pool: Row, volume: str, size: int, path: str, disk_format: str, label: str
) -> str:
    """Write a raw volume of `size` bytes into a new disk file of the coordinator that only root may read.

    Returns the file's SHA-256. What was received is compared with what the file holds. Raises if the file exists.
    """
    received, found = hashlib.sha256(), hashlib.sha256()

    def watch(blocks: Blocks) -> Blocks:
        for offset, data in blocks:
            _note(received, offset, data)
            note_transfer(f"{label} to its file", offset + len(data), size)
            yield offset, data

    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        write_disk(file, disk_format, size, watch(read_blocks(cloud, node, pool, volume, size, label)))
    with open_regular(path) as again:
        disk = open_disk(again, disk_format, label)
        for offset, data in disk.blocks():
            _note(found, offset, data)
        if disk.size != size or found.digest() != received.digest():
            raise _differs(path, label)
        again.seek(0)
        return hashlib.file_digest(again, "sha256").hexdigest()


def _note(digest: Any, offset: int, data: bytes) -> None:
    digest.update(offset.to_bytes(8, "big"))
    digest.update(data)


def _differs(path: str, label: str) -> PextraError:
    return PextraError(
        [Problem(f"{path} reads back differently from what was received", "Check the disk.", resource=label)]
    )
