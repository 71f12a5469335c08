# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Digests of files on the controller, kept so that a second run does not read gigabytes again.

A digest is used again only while path, size, inode and both times are the same to the nanosecond: whoever changes
a file changes its ctime, which nobody can set.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from typing import Any, BinaryIO

from .image_files import digest_of

_KEPT = 200


def default_path() -> str:
    """Return where the digests are kept, in the user's own cache."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "pextra", "image-digests.json")


class DigestCache:
    """Read when entered, written when left if something is new. A cache that cannot be used is only slower."""

    def __init__(self, path: str | None = None, *, is_read_only: bool = False) -> None:
        self._path = path or default_path()
        self._is_read_only = is_read_only
        self._known: dict[str, list[Any]] = {}
        self._is_changed = False

    def __enter__(self) -> DigestCache:
        with contextlib.suppress(OSError, ValueError), open(self._path, encoding="utf-8") as file:
            loaded = json.load(file)
            if isinstance(loaded, dict):
                self._known = loaded
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_changed and not self._is_read_only:
            with contextlib.suppress(OSError):
                self._write()

    def digest_of(self, path: str, file: BinaryIO) -> str:
        """Return the SHA-256 of an open file, which is at its beginning."""
        before = _identity(file)
        known = self._known.get(path)
        if isinstance(known, list) and known[:-1] == before and isinstance(known[-1], str):
            return known[-1]
        digest = digest_of(file)
        if _identity(file) == before:
            self._known[path] = [*before, digest]
            self._is_changed = True
        return digest

    def _write(self) -> None:
        directory = os.path.dirname(self._path)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        kept = dict(list(self._known.items())[-_KEPT:])
        with tempfile.NamedTemporaryFile("w", dir=directory, delete=False, encoding="utf-8") as file:
            json.dump(kept, file)
        os.replace(file.name, self._path)


def _identity(file: BinaryIO) -> list[int]:
    status = os.fstat(file.fileno())
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
