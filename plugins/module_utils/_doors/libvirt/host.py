# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's host, as its libvirt knows it."""

from __future__ import annotations

from typing import NamedTuple

import libvirt

from ..._model.errors import HypervisorError
from .connection import Connection
from .faults import passing_over


class HostRecord(NamedTuple):
    """Memory is MiB. architecture is as libvirt calls it, such as aarch64."""

    hostname: str
    cores: int
    memory: int
    memory_free: int
    libvirt_version: int
    architecture: str


class Hosts(Connection):
    """What is asked of the host."""

    def host(self) -> HostRecord:
        """Read the host's size."""
        with self._errors("read the host"):
            info = self._connection.getInfo()
            free = 0
            with passing_over(libvirt.VIR_ERR_NO_SUPPORT):  # the test driver does not know
                free = self._connection.getFreeMemory() // 1024**2
            version = self._connection.getLibVersion()
            return HostRecord(self._connection.getHostname(), info[2], info[1], free, version, info[0])

    def capabilities(self) -> str | None:
        """Read what the host is, and of which architectures its guests can be; None if it does not tell."""
        with self._errors("read what it supports"), passing_over(libvirt.VIR_ERR_NO_SUPPORT):
            return str(self._connection.getCapabilities())
        return None

    def machine_capabilities(self, architecture: str, machine: str, virt_type: str) -> str | None:
        """Read what machines of a type can be, with kvm or qemu (virt_type); None if it does not tell."""
        with self._errors("read what it supports"), passing_over(libvirt.VIR_ERR_NO_SUPPORT):
            return str(self._connection.getDomainCapabilities(None, architecture, machine, virt_type, 0))
        return None

    def devices(self) -> list[str] | None:
        """Read what devices the host has, as XML each; None if it does not tell. Mediated devices that are defined and
        not active cannot be used, and are left out.
        """
        with self._errors("read its devices"), passing_over(libvirt.VIR_ERR_NO_SUPPORT):
            found: list[str] = []
            for device in self._connection.listAllDevices(0):
                with passing_over(libvirt.VIR_ERR_NO_NODE_DEVICE):  # pulled out meanwhile
                    if not device.name().startswith("mdev_") or _is_active(device):
                        found.append(device.XMLDesc(0))
            return found
        return None

    def supports_kvm(self) -> bool:
        """Tell whether this libvirt offers KVM."""
        try:
            with self._errors("read what it supports"):
                self._connection.getDomainCapabilities(None, None, None, "kvm", 0)
        except HypervisorError:
            return False
        return True


def _is_active(device: libvirt.virNodeDevice) -> bool:
    with passing_over(libvirt.VIR_ERR_NO_SUPPORT):  # the test driver does not know
        return bool(device.isActive())
    return True
