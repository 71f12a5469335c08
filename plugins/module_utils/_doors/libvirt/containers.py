# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of libvirt's driver of containers, LXC, alone."""

from __future__ import annotations

import contextlib
import posixpath
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple

import libvirt

from ..._model.errors import HypervisorError, Problem
from .domains import Domains
from .faults import passing_over

_POLL_EVERY_S = 0.25
# libvirt is given so long to see by itself that a container has ended.
_GRACE_S = 2.0
# How long a processor's share is counted over.
_PERIOD_US = 100_000


class Permissions(NamedTuple):
    """Who may do what with a volume. since: by the node's clock, in seconds; that of its last change of any kind."""

    mode: int
    since: str


class Containers(Domains):
    """What is asked and done of containers only."""

    def limit_container(
        self, uuid: str, resource: str, *, memory: int | None = None, processors: int | None = None
    ) -> None:
        """Let a running container have so much memory (MiB), or the time of so many processors, from now on. Its
        definition stays as it is.
        """

        def limit(domain: Any) -> None:
            live = libvirt.VIR_DOMAIN_AFFECT_LIVE
            if memory is not None:
                domain.setMemoryParameters({"hard_limit": memory * 1024}, live)
            if processors is not None:
                domain.setSchedulerParametersFlags({"vcpu_quota": processors * _PERIOD_US}, live)

        self._of_guest("limit the container", uuid, resource, limit)

    def container_figures(self, ports: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
        """Read what running containers use, by UUID, in the words and units of `figures`: libvirt's LXC does not tell
        of all of them at once. A call for each, and for each of their ports. ports: the names of these on the node, by
        UUID.
        """
        if not self.has_containers:
            return {}
        found: dict[str, dict[str, Any]] = {}
        with self._errors("read what containers use") as call:
            for domain in self._drivers()[-1].listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
                uuid = domain.UUIDString()
                # One that ends meanwhile tells less, and holds up no other.
                with self._unless_lost():
                    call.go_on()
                    _, given, used, _, time_ns = domain.info()
                    found[uuid] = {"cpu.time": time_ns, "balloon.current": given, "balloon.rss": used}
                    for index, port in enumerate(ports.get(uuid, ())):
                        call.go_on()
                        found[uuid] |= _count(index, port, domain.interfaceStats(port))
        return found

    def run_container(
        self, xml: str, limit_s: float, resource: str, has_ended: Callable[[], bool]
    ) -> Generator[float, None, None]:
        """Run a container that ends by itself, and wait for that. libvirt ends it if this connection ends before.

        libvirt can miss that it has ended (seen with 9.0: what it was stayed a zombie, and its domain was running).
        has_ended: whether it shows that it has, in whatever it works on; where libvirt does not say so as well, it is
        ended here.
        """
        doing = "run a container that works on a volume"

        def run() -> None:
            self._drivers()[-1].createXML(xml, libvirt.VIR_DOMAIN_START_AUTODESTROY)

        name = ET.fromstring(xml).findtext("name", "")
        self._of_process(doing, resource, run)
        deadline, ended = time.monotonic() + limit_s, None
        while self._is_there(name, resource):
            now = time.monotonic()
            if ended is None and has_ended():
                ended = now
            if ended is not None and now - ended >= _GRACE_S:
                self._destroy(name, resource)
                return
            if now >= deadline and ended is None:
                with contextlib.suppress(HypervisorError):
                    self._destroy(name, resource)
                what = f"{doing}: not done within {limit_s:.0f} s"
                raise HypervisorError([Problem(what, f"Look at the disk of {self.node}.", self.node, resource)])
            yield _POLL_EVERY_S

    def _is_there(self, name: str, resource: str) -> bool:
        with self._errors("look for a container", resource):
            return any(domain.name() == name for domain in self._drivers()[-1].listAllDomains())

    def _destroy(self, name: str, resource: str) -> None:
        """End a container; ended meanwhile is fine."""

        def destroy() -> None:
            with passing_over(libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
                self._drivers()[-1].lookupByName(name).destroy()

        self._of_process("end a container that works on a volume", resource, destroy)

    def permissions_of_volume(self, pool: str, name: str, resource: str) -> Permissions:
        """Read the permissions of a volume, which libvirt looks at anew."""
        with self._errors("read a volume", resource):
            xml = self._connection.storagePoolLookupByName(pool).storageVolLookupByName(name).XMLDesc()
            return _parse_permissions(xml)

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
                    if _parse_permissions(xml).mode != closed:
                        return directory
            return None


def _count(index: int, port: str, stats: Sequence[int]) -> dict[str, Any]:
    """Return what one call says of a port, as libvirt says it of all of them at once."""
    received, _, _, lost, sent, _, _, lost_out = stats
    return {
        "net.count": index + 1,
        f"net.{index}.name": port,
        f"net.{index}.rx.bytes": received,
        f"net.{index}.rx.drop": lost,
        f"net.{index}.tx.bytes": sent,
        f"net.{index}.tx.drop": lost_out,
    }


def _parse_permissions(xml: str) -> Permissions:
    target = ET.fromstring(xml).find("target")
    if target is None:
        return Permissions(0, "")
    return Permissions(int(target.findtext("permissions/mode", "0"), 8), target.findtext("timestamps/ctime", ""))
