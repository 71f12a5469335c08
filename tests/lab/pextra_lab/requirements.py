# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian packages that this machine needs to carry the lab."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path

from .processes import LabError, run
from .progress import say, step

# Program or file that shows that the package is there -> package.
PROGRAMS = {
    "podman": "podman",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "qemu-img": "qemu-utils",
    "mcopy": "mtools",
    "mkfs.vfat": "dosfstools",
    "syslinux": "syslinux",
    "cpio": "cpio",
    "depmod": "kmod",
    "dpkg-deb": "dpkg",
    # For the Debian guest.
    "mke2fs": "e2fsprogs",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
# What the storage node needs instead, a virtual machine.
STORAGE_NODE_PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "mke2fs": "e2fsprogs",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
FILES = {
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
}
# podman runs on either of its two network programs; Debian's dependencies bring one of them.
NETWORK_ALTERNATIVE = Path("/usr/lib/podman/netavark")
# Where Debian puts programs for root, which a user's PATH may not have.
SEARCH_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def missing_packages(programs: Mapping[str, str], files: Mapping[str, str]) -> list[str]:
    """The packages to install, sorted."""
    missing = {package for program, package in programs.items() if not shutil.which(program, path=SEARCH_PATH)}
    missing |= {package for file, package in files.items() if not Path(file).exists()}
    if NETWORK_ALTERNATIVE.exists():
        missing.discard("containernetworking-plugins")
    return sorted(missing)


def refuse_unsuitable_machine() -> None:
    """Raises LabError on anything but an x86-64 machine as root with enough room."""
    if platform.machine() != "x86_64":
        raise LabError(f"The lab's guests are for x86-64, this machine is {platform.machine()}.")
    if os.geteuid() != 0:
        raise LabError(
            "The lab needs root: nodes are privileged containers with switches between them.\n"
            "Run the same command as root (sudo), best on a machine or virtual machine kept for it."
        )


def ensure_requirements(programs: Mapping[str, str] = PROGRAMS, files: Mapping[str, str] = FILES) -> None:
    """Installs what is missing; raises LabError with the way to go on where that cannot be done."""
    missing = missing_packages(programs, files)
    if not missing:
        refuse_unsuitable_machine()
        say("Debian packages: all there")
        return
    by_hand = f"apt-get install --no-install-recommends {' '.join(missing)}"
    if not shutil.which("apt-get"):
        raise LabError(
            f"This is not a Debian system, and these are missing: {', '.join(missing)} (names of Debian's packages).\n"
            "Install the same programs with this system's own tools, or use a Debian 12 machine, and run this again."
        )
    if os.geteuid() != 0:
        raise LabError(
            f"Missing packages: {', '.join(missing)}. As root run: {by_hand}\nThen run the lab as root, too."
        )
    refuse_unsuitable_machine()
    with step(f"Install Debian packages: {' '.join(missing)}"):
        install = [
            "env", "DEBIAN_FRONTEND=noninteractive",
            "apt-get", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120", *missing,
        ]  # fmt: skip
        # The package lists of a fresh machine may be absent or old: first with what is there, then with new ones.
        if run(install, check=False).returncode != 0:
            run(["apt-get", "update"])
            run(install)
    left = missing_packages(programs, files)
    if left:
        raise LabError(f"apt-get ended well, and still these are missing: {', '.join(left)}. By hand: {by_hand}")
