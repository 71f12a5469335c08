"""Files of the coordinator into volumes and back, compared after the copy."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from typing import Any, BinaryIO

from .._errors import PextraError, Problem
from .._foreign_disk_inspection import inspect_disk
from .._hypervisor import Hypervisor
from .._progress import note_transfer
from .._spec.volume import MAX_IMPORT_MIB
from .._xml.volume import render_volume
from ._volume_reading import open_regular


def upload_file(hypervisor: Hypervisor, data: Mapping[str, Any], label: str) -> None:
    """Write a file of the coordinator into a new volume as it is, and read it back. data: node, pool, volume, path,
    file_format, length, sha256 (None: whatever it is).

    It is looked at once more, and must be the same when all of it has been read: nobody can give it another header in
    between.
    """
    pool, volume, path = data["pool"], data["volume"], data["path"]
    digest = hashlib.sha256()
    hypervisor.delete_volume(pool, volume, label)  # what a killed run has left
    try:
        with open_regular(path) as file:
            before = _identify(file)
            size = before[0]
            inspect_disk(file, data["file_format"], MAX_IMPORT_MIB, label)
            file.seek(0)
            if size != data["length"]:
                raise PextraError([Problem(f"{path} has changed since it was looked at", "Run again.", resource=label)])

            def read(length: int) -> bytes:
                chunk: bytes = file.read(length)
                digest.update(chunk)
                return chunk

            hypervisor.create_volume(pool, render_volume(volume, size, "raw"), label)
            what = f"{label} from its file"
            hypervisor.upload_volume(
                pool, volume, read, size, label, progress=lambda sent: note_transfer(what, sent, size)
            )
            if _identify(file) != before:
                raise PextraError([Problem(f"{path} has changed while it was copied", "Run again.", resource=label)])
        _compare(hypervisor, data, digest.hexdigest(), size, label)
    except OSError as error:
        hypervisor.delete_volume(pool, volume, label)
        raise PextraError([Problem(f"{path}: {error.strerror or error}", "", resource=label)]) from error
    except PextraError:
        # What arrived is of no use, and on a full disk in the way.
        with contextlib.suppress(PextraError):
            hypervisor.delete_volume(pool, volume, label)
        raise


def _identify(file: BinaryIO) -> tuple[int, int, int, int]:
    """Return what tells a changed file: its length and times. Nobody can set the time of its last change."""
    found = os.fstat(file.fileno())
    return found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def _compare(hypervisor: Hypervisor, data: Mapping[str, Any], sent: str, size: int, label: str) -> None:
    if data["sha256"] is not None and sent != data["sha256"]:
        raise PextraError(
            [
                Problem(
                    f"{data['path']} has the SHA-256 {sent}, and {data['sha256']} was declared",
                    "Copy it again, or correct import_from.sha256.",
                    resource=label,
                )
            ]
        )
    written = hashlib.sha256()
    hypervisor.download_volume(data["pool"], data["volume"], written.update, size, label)
    if written.hexdigest() != sent:
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
        raise PextraError(
            [Problem(f"{path} reads back differently from what was received", "Check the disk.", resource=label)]
        )
    return read
