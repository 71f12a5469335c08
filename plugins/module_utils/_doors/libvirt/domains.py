# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Domains: reading them in bulk, and what is done with one."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple

import libvirt

from ..._model.errors import NotFoundError
from .faults import passing_over
from .guests import Guests
from .watch import Call

# SIGRTMIN+4 of glibc (systemd(1), Signals).
_SYSTEMD_POWEROFF = libvirt.VIR_DOMAIN_PROCESS_SIGNAL_RT6
_START_LIMIT_S = 300.0
# So many domains of a node are read at once: most of a call is waiting. A client may have five calls under way
# (max_client_requests of libvirtd.conf), and one is left for what else goes over the connection.
_READ_AT_ONCE = 4
IS_CONTAINER = re.compile(r"\s*<domain [^>]*type=['\"]lxc['\"]")
# A guest's state, and why it is so: its watchdog has paused it.
HANGS = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_WATCHDOG)
Power = Literal["running", "stopped", "paused"]
_POWER: dict[int, Power] = {
    libvirt.VIR_DOMAIN_RUNNING: "running",
    libvirt.VIR_DOMAIN_BLOCKED: "running",
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_SHUTDOWN: "running",
    libvirt.VIR_DOMAIN_SHUTOFF: "stopped",
    libvirt.VIR_DOMAIN_CRASHED: "stopped",
    libvirt.VIR_DOMAIN_PMSUSPENDED: "running",
}


class DomainRecord(NamedTuple):
    """A domain as it is. `config` is the persistent XML, `live` that of the running guest (None when stopped).

    Both have the passwords of its screens, and are never shown.

    saved: what it had in memory lies on the node's disk, and its next start goes on from there. hangs: its watchdog has
    paused it.
    """

    name: str
    uuid: str
    power: Power
    autostart: bool
    persistent: bool
    config: str
    live: str | None
    saved: bool = False
    hangs: bool = False


class Domains(Guests):
    """What is asked and done of domains."""

    def domains(self) -> list[DomainRecord]:
        """Read all domains: six list calls, and one call per domain and kind of XML."""
        with self._errors("list instances") as call:
            return [record for driver in self._drivers() for record in self._domains_of(driver, call)]

    def _domains_of(self, driver: Any, call: Call) -> Iterator[DomainRecord]:
        autostarted = {
            domain.UUIDString() for domain in driver.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART)
        }
        # Active and not paused is running, whatever libvirt calls it: shutting down, or asleep.
        active: dict[str, Power] = {
            domain.UUIDString(): "running" for domain in driver.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
        }
        for domain in driver.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_PAUSED):
            active[domain.UUIDString()] = "paused"
        transient = {
            domain.UUIDString() for domain in driver.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_TRANSIENT)
        }
        saved = {domain.UUIDString() for domain in driver.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)}
        domains = driver.listAllDomains()

        def read(first: int) -> list[DomainRecord | None]:
            records = []
            for domain in domains[first::_READ_AT_ONCE]:
                records.append(self._read_domain(domain, active, autostarted, transient, saved))
                call.go_on()
            return records

        with ThreadPoolExecutor(max_workers=_READ_AT_ONCE) as threads:
            parts = list(threads.map(read, range(_READ_AT_ONCE)))
        for index in range(len(domains)):
            record = parts[index % _READ_AT_ONCE][index // _READ_AT_ONCE]
            if record is not None:
                yield record

    def _read_domain(
        self, domain: Any, active: dict[str, Power], autostarted: set[str], transient: set[str], saved: set[str]
    ) -> DomainRecord | None:
        uuid = domain.UUIDString()
        try:
            power = active.get(uuid, "stopped")
            # With its secrets: it is edited and defined anew, and a screen would lose the password that a hand gave it.
            config = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
            live = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE) if power != "stopped" else None
            hangs = power == "paused" and tuple(domain.state()) == HANGS
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:  # gone since it was listed
                return None
            raise
        return DomainRecord(
            *(domain.name(), uuid, power, uuid in autostarted, uuid not in transient, config, live),
            saved=uuid in saved and power == "stopped",
            hangs=hangs,
        )

    def live_domain_xml(self) -> list[str]:
        """Read the live XML of the running and paused domains only."""
        with self._errors("list running instances") as call:
            texts = []
            for driver in self._drivers():
                for domain in driver.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
                    call.go_on()
                    with passing_over(libvirt.VIR_ERR_NO_DOMAIN):  # stopped since it was listed
                        texts.append(domain.XMLDesc(0))
            return texts

    def live_xml_of(self, uuid: str) -> str:
        """Read the live XML of one domain; nothing if it does not run."""
        with self._errors("read a running instance"):
            domain = self._domain(uuid)
            return str(domain.XMLDesc(0)) if domain.isActive() else ""

    def config_xml_of(self, uuid: str) -> str:
        """Read the definition of one domain."""
        with self._errors("read an instance's definition"):
            return str(self._domain(uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))

    def define_domain(self, xml: str, resource: str) -> None:
        with self._errors("define the instance", resource):
            # Without libvirt's schema validation, which takes fifteen times as long as all the rest: the tests do it.
            self._drivers()[-1 if IS_CONTAINER.match(xml) else 0].defineXML(xml)

    def undefine_domain(self, uuid: str, resource: str, *, loses_state: bool = False) -> None:
        """Remove the definition; volumes stay. Gone already is fine. loses_state: also what firmware and TPM hold."""
        flags = (
            libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
            | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
        )
        flags |= (
            libvirt.VIR_DOMAIN_UNDEFINE_NVRAM | libvirt.VIR_DOMAIN_UNDEFINE_TPM
            if loses_state
            else libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | libvirt.VIR_DOMAIN_UNDEFINE_KEEP_TPM
        )
        with contextlib.suppress(NotFoundError), self._errors("remove the instance's definition", resource):
            domain = self._domain(uuid)
            domain.undefineFlags(0 if self._is_container(domain) else flags)

    def set_autostart(self, uuid: str, autostart: bool, resource: str) -> None:
        with self._errors("set autostart", resource):
            self._domain(uuid).setAutostart(int(autostart))

    def power_of(self, uuid: str, resource: str) -> Power:
        with self._errors("read the power state", resource):
            return _POWER.get(self._domain(uuid).state()[0], "stopped")

    def start_domain(self, uuid: str, resource: str, *, paused: bool = False, limit_s: float | None = None) -> None:
        """Start it; running already is fine. limit_s: how long to wait; None for as long as the largest guest takes."""

        def start(domain: Any) -> None:
            if not domain.isActive():
                domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if paused else 0)

        self._of_guest("start the instance", uuid, resource, start, _START_LIMIT_S if limit_s is None else limit_s)

    def resume_domain(self, uuid: str, resource: str) -> None:
        self._of_guest("resume the instance", uuid, resource, lambda domain: domain.resume())

    def suspend_domain(self, uuid: str, resource: str) -> None:
        self._of_guest("pause the instance", uuid, resource, lambda domain: domain.suspend())

    def request_shutdown(self, uuid: str, resource: str, limit_s: float) -> Generator[float, None, None]:
        """Press the power button; the guest decides. Yields how long to wait until its QEMU has taken that.

        A container's init is told by signals: that of systemd for switching off, then the usual one. libvirt's other
        way would open a file that the container names, with the rights of the node.
        """

        def stop(domain: Any) -> None:
            if not domain.isActive():
                return
            if not self._is_container(domain):
                domain.shutdown()
                return
            for number in (_SYSTEMD_POWEROFF, libvirt.VIR_DOMAIN_PROCESS_SIGNAL_TERM):
                domain.sendProcessSignal(1, number)

        yield from self._of_guest_meanwhile("stop the instance", uuid, resource, stop, limit_s)

    def force_stop(self, uuid: str, resource: str) -> None:
        """Pull the plug; stopped already is fine. It needs no QEMU that answers."""

        def force(domain: Any) -> None:
            if domain.isActive():
                domain.destroy()

        self._of_guest("force the instance off", uuid, resource, force, needs_answer=False)

    def set_metadata(self, uuid: str, xml: str, prefix: str, uri: str, resource: str, *, live: bool) -> None:
        if live:
            # libvirt does not ask the guest for it, and yet waits until nobody else does.
            self._require_answering("write the instance's metadata", uuid, resource)
        with self._errors("write the instance's metadata", resource):
            self._domain(uuid).setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, xml, prefix, uri, affect(live, True))

    def describe_running(self, uuid: str, description: str | None, resource: str) -> None:
        """Give the running guest a description, None for none. Its definition stays as it is."""
        self._require_answering("describe the instance", uuid, resource)
        with self._errors("describe the instance", resource):
            self._domain(uuid).setMetadata(
                libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, description, None, None, affect(True, False)
            )

    def mark_running(self, uuid: str, xml: str, prefix: str, uri: str, resource: str) -> None:
        """Give the running guest metadata, which are gone when it ends. Its definition stays as it is."""
        with self._errors("mark the running instance", resource):
            self._domain(uuid).setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, xml, prefix, uri, affect(True, False))

    def plug_vcpus(self, uuid: str, vcpus: int, resource: str) -> None:
        """Give the running guest so many virtual CPUs; there already is fine. Its definition stays as it is."""

        def plug(domain: Any) -> None:
            live = libvirt.VIR_DOMAIN_AFFECT_LIVE
            if domain.vcpusFlags(live) < vcpus:
                domain.setVcpusFlags(vcpus, live)

        self._of_guest("plug in virtual CPUs", uuid, resource, plug)

    def pin_vcpus(self, uuid: str, pins: Sequence[tuple[int, Sequence[int]]], resource: str) -> None:
        """Let virtual CPUs of the running guest, by their numbers, run on these threads of the node alone. Its
        definition stays as it is.
        """

        def pin(domain: Any) -> None:
            for number, threads in pins:
                mask = tuple(thread in threads for thread in range(max(threads) + 1))
                domain.pinVcpu(number, mask)

        self._of_guest("pin virtual CPUs", uuid, resource, pin)


def affect(live: bool, config: bool) -> int:
    flags = libvirt.VIR_DOMAIN_AFFECT_LIVE if live else 0
    return int(flags | (libvirt.VIR_DOMAIN_AFFECT_CONFIG if config else 0))
