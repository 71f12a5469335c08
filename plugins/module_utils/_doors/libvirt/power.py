# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with a domain beside starting and stopping it."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable
from typing import Any, Literal, NamedTuple

import libvirt

from ..._model.errors import Problem
from ..._model.watchdogs import RESTARTS
from .domains import HANGS, Domains
from .faults import passing_over

State = Literal["running", "paused", "asleep", "stopped"]
_STATES: dict[int, State] = {
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_PMSUSPENDED: "asleep",
    libvirt.VIR_DOMAIN_SHUTOFF: "stopped",
    libvirt.VIR_DOMAIN_CRASHED: "stopped",
}
# Writing a guest's memory: as long as the slowest disk takes for it.
_SAVE_LIMIT_S = 60.0
_SLOWEST_BYTES_PER_S = 8 * 1024**2
# What libvirt itself waits at most for a guest's agent. It is a setting of the domain's, until it stops.
AGENT_LIMIT_S = 20


class DomainState(NamedTuple):
    """How a domain is. xml: that of the guest, or the definition when it is stopped. hangs: its watchdog has paused
    it.
    """

    uuid: str
    state: State
    saved: bool
    xml: str
    hangs: bool = False


_ENDED = (libvirt.VIR_DOMAIN_SHUTOFF_CRASHED, libvirt.VIR_DOMAIN_SHUTOFF_FAILED)


class CrashedDomain(NamedTuple):
    """is_left: its definition says that it stays as it is. has_failed: it could not be started. hangs: it runs, and its
    watchdog has paused it.
    """

    uuid: str
    is_left: bool = False
    has_failed: bool = False
    hangs: bool = False


class Powers(Domains):
    """What is asked and done of a guest as a whole."""

    def states_of(self, uuids: Iterable[str]) -> list[DomainState]:
        """Read those of these domains that the node has: four calls each."""
        found = []
        with self._errors("look for instances") as call:
            for uuid in uuids:
                call.go_on()
                with passing_over(libvirt.VIR_ERR_NO_DOMAIN):
                    domain = self._domain(uuid)
                    found_so = tuple(domain.state())
                    state = _STATES.get(found_so[0], "running")
                    is_saved = (
                        state == "stopped" and not self._is_container(domain) and bool(domain.hasManagedSaveImage())
                    )
                    found.append(DomainState(uuid, state, is_saved, str(domain.XMLDesc()), found_so == HANGS))
        return found

    def crashed_domains(self) -> list[CrashedDomain]:
        """Return the domains whose QEMU ended by itself, or could not be started, and those that hang.

        One call, which asks no guest's QEMU, and one more for each that is found.
        """
        found = []
        with self._errors("look for crashed instances") as call:
            for domain, values in self._connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE):
                call.go_on()
                state, reason = values.get("state.state"), values.get("state.reason")
                hangs = (state, reason) == HANGS
                if not hangs and (state != libvirt.VIR_DOMAIN_SHUTOFF or reason not in _ENDED):
                    continue
                with passing_over(libvirt.VIR_ERR_NO_DOMAIN):
                    xml = domain.XMLDesc(0 if hangs else libvirt.VIR_DOMAIN_XML_INACTIVE)
                    is_left = (RESTARTS if hangs else "<on_crash>restart</on_crash>") not in xml
                    has_failed = not hangs and reason == libvirt.VIR_DOMAIN_SHUTOFF_FAILED
                    found.append(CrashedDomain(domain.UUIDString(), is_left, has_failed, hangs))
        return found

    def figures(self) -> dict[str, dict[str, Any]]:
        """Read what all running domains use, by UUID, in libvirt's words and units: one call, for which libvirt asks
        each one's QEMU.
        """
        groups = (
            libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
            | libvirt.VIR_DOMAIN_STATS_BALLOON
            | libvirt.VIR_DOMAIN_STATS_BLOCK
            | libvirt.VIR_DOMAIN_STATS_INTERFACE
        )
        # One whose QEMU is frozen, or busy with something else, tells less and holds up no other.
        flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        with self._errors("read what instances use"):
            return {
                domain.UUIDString(): dict(found) for domain, found in self._connection.getAllDomainStats(groups, flags)
            }

    def state_of(self, uuid: str, resource: str) -> State:
        with self._errors("read the power state", resource):
            return _STATES.get(self._domain(uuid).state()[0], "running")

    def reset_domain(self, uuid: str, resource: str) -> None:
        """Press the reset button."""
        self._of_guest("reset the instance", uuid, resource, lambda domain: domain.reset())

    def inject_nmi(self, uuid: str, resource: str) -> None:
        self._of_guest("send the instance an NMI", uuid, resource, lambda domain: domain.injectNMI())

    def save_domain(self, uuid: str, resource: str) -> Generator[float, None, None]:
        """Write its memory to the node's disk, and end it; saved already is fine. Whatever it was, it runs when it
        goes on.
        """
        with self._errors("save the instance", resource):
            size = int(self._domain(uuid).maxMemory()) * 1024
        limit_s = _SAVE_LIMIT_S + size / _SLOWEST_BYTES_PER_S

        def save() -> None:
            with self._errors("save the instance", resource, limit_s=math.inf):
                domain = self._domain(uuid)
                if domain.isActive():
                    domain.managedSave(libvirt.VIR_DOMAIN_SAVE_RUNNING)

        late = Problem(
            f"save the instance: not done within {limit_s:.0f} s, while libvirtd answers, and goes on",
            f"On {self.node}: virsh domjobinfo, and look at the disk of /var/lib/libvirt/qemu/save.",
            self.node,
            resource,
        )
        yield from self._in_turn(save, limit_s, late)

    def discard_saved(self, uuid: str, resource: str) -> None:
        """Delete what was saved of its memory; none is fine."""
        with self._errors("discard what was saved of the instance", resource):
            domain = self._domain(uuid)
            if domain.hasManagedSaveImage():
                domain.managedSaveRemove()

    def put_to_sleep(self, uuid: str, resource: str) -> None:
        """Let the guest's agent suspend it to memory. It sleeps some time after this returns."""

        def sleep(domain: libvirt.virDomain) -> None:
            self._bound_agent(domain)
            domain.pMSuspendForDuration(libvirt.VIR_NODE_SUSPEND_TARGET_MEM, 0)

        self._of_guest("suspend the instance to memory", uuid, resource, sleep)

    def wake_up(self, uuid: str, resource: str) -> None:
        """Wake a guest that sleeps. It runs some time after this returns."""
        self._of_guest("wake the instance up", uuid, resource, lambda domain: domain.pMWakeup())

    def _bound_agent(self, domain: libvirt.virDomain) -> None:
        """libvirt waits without end for an agent that answered and then hangs, unless it is told otherwise."""
        with passing_over(libvirt.VIR_ERR_NO_SUPPORT):
            domain.agentSetResponseTimeout(AGENT_LIMIT_S)
