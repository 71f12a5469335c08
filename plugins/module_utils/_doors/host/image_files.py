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

from ..._model.digest import is_sha512, split_digest

DIRECTORY = "/var/lib/pextra/images"
CHUNK = 1024**2


def cached_path(sha256: str) -> str:
    """Return where the file with this digest is, or would be."""
    return os.path.join(DIRECTORY, sha256)


def partial_path(digest: str) -> str:
    """Return where it is while it is not complete."""
    return os.path.join(DIRECTORY, f".{_file_name(digest)}.part")


def is_cached(sha256: str) -> bool:
    return os.path.isfile(cached_path(sha256))


def known_sha256(digest: str) -> str | None:
    """Return the SHA-256 of a file by any digest of it; None of a SHA-512 whose file is not here."""
    if not is_sha512(digest):
        return digest
    try:
        sha256 = os.readlink(os.path.join(DIRECTORY, _file_name(digest)))
    except OSError:
        return None
    return sha256 if is_cached(sha256) else None


def keep(digest: str, sha256: str) -> None:
    """Give a complete file, of the given digest, its name. A file known by its SHA-512 is found by that as well."""
    os.rename(partial_path(digest), cached_path(sha256))
    if is_sha512(digest):
        link = os.path.join(DIRECTORY, _file_name(digest))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(link)
        os.symlink(sha256, link)


def _file_name(digest: str) -> str:
    return "-".join(split_digest(digest)) if is_sha512(digest) else digest


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
    with contextlib.suppress(FileNotFoundError), os.scandir(DIRECTORY) as entries:
        for link in [entry.path for entry in entries if entry.is_symlink() and os.readlink(entry.path) == sha256]:
            os.unlink(link)


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
