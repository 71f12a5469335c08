# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys with which this coordinator reaches pools of Ceph, for what libvirt cannot do there: filling a volume.

One file for each storage pool, readable by root alone. A key gets here when pextra_pool is told it, and is never read
by anything but the client of Ceph.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

DIRECTORY = Path("/var/lib/pextra/ceph-keys")


def read_key(pool_id: str) -> str | None:
    """Return the key of a storage pool, None if there is none here."""
    try:
        return (DIRECTORY / pool_id).read_text(encoding="ascii")
    except FileNotFoundError:
        return None


def keep_key(pool_id: str, key: str) -> None:
    """Write a key, whole or not at all."""
    DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
    DIRECTORY.chmod(0o700)
    new = DIRECTORY / f".{pool_id}.new"
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    new.replace(DIRECTORY / pool_id)


def drop_key(pool_id: str) -> None:
    """Forget a key; gone already is fine."""
    with contextlib.suppress(FileNotFoundError):
        (DIRECTORY / pool_id).unlink()
