# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent in a guest: asked through libvirt, within bounds. What it says is the guest's word, and is not trusted."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import libvirt
import libvirt_qemu

from ..._model.errors import HypervisorError, PextraError, Problem
from ..._model.mistake import printable
from .connection import NO_AGENT
from .power import AGENT_LIMIT_S, Powers

# libvirt first looks for five seconds whether anybody answers at all.
_ASK_LIMIT_S = 2 * AGENT_LIMIT_S
# libvirtd serves five calls of a client at once: one is left for what needs no guest.
_AT_ONCE = 4
# As long as a hundred guests without an answer take.
_PLACE_LIMIT_S = 300.0
_MOST_OF_A_MESSAGE = 500
Answer = TypeVar("Answer")


class GuestFacts(NamedTuple):
    """What an agent says of its guest, as libvirt hands it over; None for what it does not say. time: seconds since
    1970, of the guest's clock.
    """

    time: Any = None
    hostname: Any = None
    interfaces: Any = None
    file_systems: Any = None


class Agents(Powers):
    """What is asked of guests' agents. Each yields how many seconds to wait before it is looked at again."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._agent_places = threading.BoundedSemaphore(_AT_ONCE)

    def ask_agent(self, uuid: str, command: Mapping[str, Any], resource: str) -> Generator[float, None, str]:
        """Send a command of the agent's own protocol, and return its answer in JSON."""
        text = json.dumps(command)

        def ask(domain: libvirt.virDomain) -> str:
            return str(libvirt_qemu.qemuAgentCommand(domain, text, AGENT_LIMIT_S, 0))

        return self._of_agent(f"ask the guest's agent ({command['execute']})", uuid, resource, ask)

    def set_guest_password(self, uuid: str, user: str, hashed: str, resource: str) -> Generator[float, None, None]:
        """Give a user of the guest the password that has this hash."""

        def put(domain: libvirt.virDomain) -> None:
            domain.setUserPassword(user, hashed, libvirt.VIR_DOMAIN_PASSWORD_ENCRYPTED)

        return self._of_agent("set a password in the guest", uuid, resource, put)

    def set_guest_time(self, uuid: str, seconds: float, resource: str) -> Generator[float, None, None]:
        """Set the guest's clock to so many seconds since 1970."""
        moment = {"seconds": int(seconds), "nseconds": int(seconds % 1 * 1_000_000_000)}

        def put(domain: libvirt.virDomain) -> None:
            domain.setTime(moment)

        return self._of_agent("set the guest's clock", uuid, resource, put)

    def read_guest(self, uuid: str, resource: str) -> Generator[float, None, GuestFacts]:
        """Ask for all that libvirt knows how to ask for."""
        return self._of_agent("ask the guest's agent", uuid, resource, _ask_all)

    def _of_agent(
        self, doing: str, uuid: str, resource: str, call: Callable[[libvirt.virDomain], Answer]
    ) -> Generator[float, None, Answer]:
        """Only so many guests are asked at once, and the bound of one begins when it is: a frozen one costs its own."""

        def work() -> Answer:
            try:
                with self._errors(doing, resource, limit_s=math.inf):
                    domain = self._domain(uuid)
                    self._bound_agent(domain)
                    return call(domain)
            finally:
                self._agent_places.release()

        late = Problem(
            f"{doing}: no answer within {_ASK_LIMIT_S} s, while libvirtd answers",
            "The guest, or its QEMU, may be frozen: look at its console.",
            self.node,
            resource,
        )
        deadline = time.monotonic() + _PLACE_LIMIT_S
        while not self._agent_places.acquire(blocking=False):
            if time.monotonic() >= deadline:
                what = f"{doing}: other guests of this node that do not answer have kept it from being asked"
                raise HypervisorError([Problem(what, "Look at their consoles; then run again.", self.node, resource)])
            yield 0.1
        try:
            return (yield from self._meanwhile(work, _ASK_LIMIT_S, late))
        except PextraError as error:
            # libvirt repeats what the agent says.
            told = [replace(one, what=printable(one.what)[:_MOST_OF_A_MESSAGE]) for one in error.problems]
            raise type(error)(told) from error


def _ask_all(domain: libvirt.virDomain) -> GuestFacts:
    """An agent that is old, or may not, says less. Raises libvirtError if none says anything."""
    found: dict[str, Any] = {}
    failure: libvirt.libvirtError | None = None
    source = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT
    for name, ask in (
        ("time", domain.getTime),
        ("hostname", lambda: domain.hostname(libvirt.VIR_DOMAIN_GET_HOSTNAME_AGENT)),
        ("interfaces", lambda: domain.interfaceAddresses(source)),
        ("file_systems", domain.fsInfo),
    ):
        try:
            found[name] = ask()
        except libvirt.libvirtError as error:
            failure = error
            if error.get_error_code() in NO_AGENT:
                raise
    if failure is not None and not found:
        raise failure
    return GuestFacts(**found)
