# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of libvirt's driver of containers, LXC, alone."""

from __future__ import annotations

import contextlib
import posixpath
import time
import xml.etree.ElementTree as ET
from collections.abc import Generator

import libvirt

from ..._model.errors import HypervisorError, Problem
from .domains import Domains
from .faults import passing_over

_POLL_EVERY_S = 0.25
# How long a processor's share is counted over.
_PERIOD_US = 100_000


class Containers(Domains):
    """What is asked and done of containers only."""

    def limit_container(
        self, uuid: str, resource: str, *, memory: int | None = None, processors: int | None = None
    ) -> None:
        """Let a running container have so much memory (MiB), or the time of so many processors, from now on. Its
        definition stays as it is.
        """

        def limit() -> None:
            domain, live = self._domain(uuid), libvirt.VIR_DOMAIN_AFFECT_LIVE
            if memory is not None:
                domain.setMemoryParameters({"hard_limit": memory * 1024}, live)
            if processors is not None:
                domain.setSchedulerParametersFlags({"vcpu_quota": processors * _PERIOD_US}, live)

        self._of_guest("limit the container", resource, limit)

    def run_container(self, xml: str, limit_s: float, resource: str) -> Generator[float, None, None]:
        """Run a container that ends by itself, and wait for that. libvirt ends it if this connection ends before."""
        doing = "run a container that works on a volume"

        def run() -> None:
            self._drivers()[-1].createXML(xml, libvirt.VIR_DOMAIN_START_AUTODESTROY)

        name = ET.fromstring(xml).findtext("name", "")
        self._of_guest(doing, resource, run)
        deadline = time.monotonic() + limit_s
        while self._is_there(name, resource):
            if time.monotonic() >= deadline:
                with contextlib.suppress(HypervisorError), self._errors(doing, resource):
                    self._drivers()[-1].lookupByName(name).destroy()
                what = f"{doing}: not done within {limit_s:g} s"
                raise HypervisorError([Problem(what, f"Look at the disk of {self.node}.", self.node, resource)])
            yield _POLL_EVERY_S

    def _is_there(self, name: str, resource: str) -> bool:
        with self._errors("look for a container", resource):
            return any(domain.name() == name for domain in self._drivers()[-1].listAllDomains())

    def mode_of_volume(self, pool: str, name: str, resource: str) -> int:
        """Read the permissions of a volume, which libvirt looks at anew."""
        with self._errors("read a volume", resource):
            xml = self._connection.storagePoolLookupByName(pool).storageVolLookupByName(name).XMLDesc()
            return int(ET.fromstring(xml).findtext("target/permissions/mode", "0"), 8)

    def find_open_root(self, uuid: str, closed: int, resource: str) -> str | None:
        """Return the directory of a container's root that has other permissions than `closed`; None for any other."""
        with self._errors("look at the files of the instance", resource):
            domain = self._domain(uuid)
            if not self._is_container(domain):
                return None
            root = ET.fromstring(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
            for source in root.iterfind("devices/filesystem/source"):
                directory = posixpath.dirname(source.get("dir", ""))
                with passing_over(libvirt.VIR_ERR_NO_STORAGE_VOL):
                    xml = self._connection.storageVolLookupByPath(directory).XMLDesc()
                    if int(ET.fromstring(xml).findtext("target/permissions/mode", "0"), 8) != closed:
                        return directory
            return None
