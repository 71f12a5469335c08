# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume that its storage pool does not show: what that may mean, and what to do about it. Pure.

Most often nothing is lost: a file system is not mounted, a volume group or a zpool is not there, a target is silent.
What is declared must not be given up, nor made again, before that has been looked at; so no advice here destroys.
"""

from __future__ import annotations

from ..._model.errors import Problem
from ..._model.rows import Row

_LOOK = {
    "directory": "findmnt -T {path}: is the file system mounted that belongs there?",
    "netfs": "findmnt -T {path}: is the server's file system mounted there?",
    "lvm": "vgs {name}; pvs: is the volume group there, with all its disks?",
    "zfs": "zpool status {name}: is the zpool imported, with all its disks?",
    "rbd": "ceph status: does Ceph have all its data?",
    "iscsi": "Does the target still offer the unit to this node?",
}


def explain_missing(what: str, pool: Row, node: str | None, *, runs_in: str | None = None) -> Problem:
    """Return what is to be said of a volume that libvirt, having looked again, does not find in a pool.

    what: the volume, as it is called there. runs_in: the instance that runs and still has it open.
    """
    first = _LOOK[pool.attributes["type"]].format(path=pool.attributes.get("path"), name=pool.name)
    remedy = f"Look there first: {first} If so, restore it from a backup, under its name, and run again."
    if runs_in is not None:
        remedy = f"Do not stop instance {runs_in}: running, it may still have what was deleted. {remedy}"
    return Problem(f"{what} is not in storage pool {pool.name}", remedy, node)
