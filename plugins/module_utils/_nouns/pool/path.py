# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the directory of a storage pool may be. Standard library only: bare hosts import it too."""

from __future__ import annotations

from ..._fields.checks import check_absolute_path
from ..._model.mistake import shown

# Every file in a pool's directory is a volume to libvirt: a pool here would offer the system's own files as disks.
_SYSTEM_TREES = (
    "/bin",
    "/boot",
    "/dev",
    "/efi",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/lost+found",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/tmp",  # noqa: S108 - refused, not used
    "/usr",
    *(f"/var/{name}" for name in ("backups", "cache", "crash", "lock", "log", "mail", "run", "spool", "tmp", "www")),
    # What Debian's own packages, and those of a node, keep there.
    *(
        f"/var/lib/{name}"
        for name in (
            *("AccountsService", "NetworkManager", "PackageKit", "apparmor", "apt", "aptitude", "ceph", "chrony"),
            *("cloud", "containerd", "containers", "dbus", "dhcp", "dhcpcd", "docker", "dpkg", "fwupd", "git", "grub"),
            *("initramfs-tools", "iscsi", "libvirt", "logrotate", "lxc", "machines", "man-db", "misc", "mysql", "nfs"),
            *("ntpsec", "openvswitch", "os-prober", "pam", "pextra", "polkit-1", "portables", "postgresql", "private"),
            *("python", "qemu", "rpcbind", "samba", "shells.state", "snapd", "sudo", "swtpm-localca", "systemd"),
            *("tpm2-tss", "ucf", "udisks2", "update-notifier", "urandom", "vim", "xml-core"),
        )
    ),
)
# Made for what is asked for here.
_EXCEPT = ("/var/lib/libvirt/images", "/var/lib/pextra/pools")
# Others have theirs below these; what holds a tree of the system is none either.
_SHARED_DIRECTORIES = ("/home", "/media", "/mnt", "/opt", "/srv", "/var/lib/pextra/pools", "/var/local", "/var/opt")
_KEYRINGS = (".gnupg", ".ssh")


def check_pool_path(value: str) -> str | None:
    """Return what is wrong with the path of a directory pool, or None."""
    problem = check_absolute_path(value)
    if problem:
        return problem
    if find_system_place(value) is not None:
        return f"{shown(value)} belongs to the system; write a directory of its own, such as /srv/pool"
    return None


def check_shared_directory(value: str) -> str | None:
    """Return what is wrong with the path of a directory that guests are to write in, or None."""
    problem = check_absolute_path(value)
    if problem:
        return problem
    if value.rpartition("/")[0] == "/home":
        return f"{shown(value)} is somebody's home directory, with keys of theirs; write one below it, or /srv/media"
    if find_system_place(value) is not None or any(is_within(value, place) for place in _EXCEPT):
        return (
            f"{shown(value)} belongs to the system, or holds volumes; write a directory of its own, such as /srv/media"
        )
    return None


def find_system_place(path: str) -> str | None:
    """Return which place of the system's own an absolute path is, lies in or holds, None for a free one."""
    if path in _SHARED_DIRECTORIES:
        return path
    keyring = next((name for name in _KEYRINGS if name in path.split("/")), None)
    if keyring is not None:
        return keyring
    if any(is_within(path, place) for place in _EXCEPT):
        return None
    return next((tree for tree in _SYSTEM_TREES if is_within(path, tree) or is_within(tree, path)), None)


def is_within(path: str, directory: str) -> bool:
    """Tell whether a path is a directory, or lies in it."""
    return f"{path.rstrip('/')}/".startswith(f"{directory.rstrip('/')}/")
