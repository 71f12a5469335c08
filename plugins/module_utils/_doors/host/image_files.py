# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The coordinator's own copies of image files, named by their SHA-256: what a pool's copy is made from.

A file under its final name is complete and verified: it is written under another name and renamed. The directory is
closed to everyone else, because an image may hold secrets of those who built it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from typing import BinaryIO

DIRECTORY = "/var/lib/pextra/images"
CHUNK = 1024**2


def cached_path(sha256: str) -> str:
    """Return where the file with this digest is, or would be."""
    return os.path.join(DIRECTORY, sha256)


def partial_path(sha256: str) -> str:
    """Return where it is while it is not complete."""
    return os.path.join(DIRECTORY, f".{sha256}.part")


def is_cached(sha256: str) -> bool:
    return os.path.isfile(cached_path(sha256))


def make_directory() -> None:
    """Make the cache. /var/lib/pextra itself must let QEMU through to the pools in it."""
    os.makedirs(os.path.dirname(DIRECTORY), mode=0o711, exist_ok=True)
    os.makedirs(DIRECTORY, mode=0o700, exist_ok=True)
    os.chmod(DIRECTORY, 0o700)


def drop(sha256: str) -> None:
    """Delete a file, complete or not; gone already is fine."""
    for path in (cached_path(sha256), partial_path(sha256)):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def digest_of(file: BinaryIO, progress: Callable[[int], None] | None = None) -> str:
    """Return the SHA-256 of the rest of an open file."""
    digest = hashlib.sha256()
    done = 0
    while chunk := file.read(CHUNK):
        digest.update(chunk)
        done += len(chunk)
        if progress is not None:
            progress(done)
    return digest.hexdigest()
