"""Where the directory of a storage pool may be."""

from __future__ import annotations

from ._checks import check_absolute_path
from ._mistake import shown

# Every file in a pool's directory is a volume to libvirt: a pool here would offer the system's own files as disks.
_SYSTEM_TREES = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/pextra/images",
)
_SYSTEM_DIRECTORIES = (
    "/",
    "/home",
    "/media",
    "/mnt",
    "/opt",
    "/root",
    "/srv",
    "/tmp",  # noqa: S108 - refused, not used
    "/var",
    "/var/lib",
    "/var/lib/libvirt",
    "/var/lib/pextra",
    "/var/lib/pextra/pools",
    "/var/tmp",  # noqa: S108 - likewise
)


def check_pool_path(value: str) -> str | None:
    """Return what is wrong with the path of a directory pool, or None."""
    problem = check_absolute_path(value)
    if problem:
        return problem
    if value in _SYSTEM_DIRECTORIES or any(f"{value}/".startswith(f"{tree}/") for tree in _SYSTEM_TREES):
        return f"{shown(value)} belongs to the system; write a directory of its own, such as /srv/pool"
    return None
