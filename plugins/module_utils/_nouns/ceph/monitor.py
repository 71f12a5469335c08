# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A monitor of Ceph, and the manager beside it, on one host: what is there, and how it is made.

The monitor's store is made beside its place and moved there when it is whole: `ceph-mon --mkfs` takes any store that is
not empty for a finished one, also one that it did not finish.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from ..._doors.ceph.monitors import Connection
from .host import (
    DATA,
    Run,
    give_to,
    make_directory,
    must,
    sync_directory,
    write_private,
)

# The first keys of all: of the monitors themselves, of the administrator, of those who bring OSDs up.
FIRST_KEYS = DATA / "bootstrap-pextra" / "ceph.keyring"
MANAGER_RIGHTS = ("mon", "allow profile mgr", "osd", "allow *", "mds", "allow *")


def monitor_unit(name: str) -> str:
    return f"ceph-mon@{name}.service"


def manager_unit(name: str) -> str:
    return f"ceph-mgr@{name}.service"


def has_store(name: str) -> bool:
    return (_store(name) / "store.db").is_dir()


def make_store(run: Run, name: str, fsid: str, monitors: Mapping[str, str]) -> None:
    """Make the store of the monitor of this name. monitors: the address of each by its name.

    Where other monitors run already, it is filled from them when the monitor starts.
    """
    new = DATA / "mon" / f".new-{name}"
    monmap = DATA / "mon" / f".new-{name}.monmap"
    shutil.rmtree(new, ignore_errors=True)  # of a run that was killed
    make_directory(new)
    addresses = [word for other, address in monitors.items() for word in ("--addv", other, render_address(address))]
    must(
        run,
        ["monmaptool", "--create", "--clobber", "--fsid", fsid, *addresses, str(monmap)],
        "write the first monitor map",
    )
    give_to(monmap)
    must(
        run,
        [
            "ceph-mon", "--mkfs", "--id", name, "--mon-data", str(new), "--monmap", str(monmap),
            "--keyring", str(FIRST_KEYS), "--setuser", "ceph", "--setgroup", "ceph",
        ],
        f"make the store of the monitor {name}",
    )  # fmt: skip
    monmap.unlink()
    store = _store(name)
    if store.is_dir():
        store.rmdir()  # an empty one, or somebody's files are in it, and this stops here
    new.rename(store)
    sync_directory(store.parent)


def render_address(address: str) -> str:
    """Return an address for a monitor map: messenger version 2 alone, as version 1 has no encryption."""
    return f"[v2:{f'[{address}]' if ':' in address else address}:3300]"


def has_manager_key(name: str) -> bool:
    return (_manager(name) / "keyring").is_file()


def make_manager_key(ceph: Connection, name: str) -> None:
    """Have the manager's key, the same one however often it is asked for."""
    answer = ceph.ask("auth get-or-create", entity=f"mgr.{name}", caps=list(MANAGER_RIGHTS))
    make_directory(_manager(name))
    write_private(_manager(name) / "keyring", render_keyring(f"mgr.{name}", answer[0]["key"]))


def render_keyring(name: str, key: str) -> str:
    return f"[{name}]\n\tkey = {key}\n"


def _store(name: str) -> Path:
    return DATA / "mon" / f"ceph-{name}"


def _manager(name: str) -> Path:
    return DATA / "mgr" / f"ceph-{name}"
