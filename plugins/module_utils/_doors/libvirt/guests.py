# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What libvirt needs a guest's QEMU for. That may be frozen by itself, or wait for a storage that is gone: each call
has a bound, and a guest in which one is under way for long is not sent another.

A call that is late cannot be taken back: libvirt sends it on when the QEMU goes on, maybe when the run that made it is
long gone. A second one would then follow the first at once, whatever that one has done.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import libvirt

from ..._model.errors import HypervisorError, Problem
from .connection import Connection
from .faults import passing_over

_GUEST_LIMIT_S = 60.0
# So long a QEMU may be at one thing before it is taken for frozen; a snapshot into a slow disk is the longest.
_SILENT_S = 10.0
# Of what is waited for without a worker: libvirtd serves five calls of one connection at once, whatever else there is.
_AT_ONCE = 2
_TURN_EVERY_S = 0.1
Answer = TypeVar("Answer")


class Guests(Connection):
    """Domains, and calls that go through to their QEMUs."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._places = threading.BoundedSemaphore(_AT_ONCE)

    def _domain(self, uuid: str) -> Any:
        """Return a domain, of whichever driver."""
        try:
            return self._connection.lookupByUUIDString(uuid)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN or not self.has_containers:
                raise
        return self._drivers()[-1].lookupByUUIDString(uuid)

    def _is_container(self, domain: Any) -> bool:
        return self._container_driver is not None and domain.connect() is self._container_driver

    def _of_guest(
        self,
        doing: str,
        uuid: str,
        resource: str,
        call: Callable[[Any], object],
        limit_s: float | None = None,
        *,
        needs_answer: bool = True,
    ) -> None:
        """Do something to a domain. needs_answer: its QEMU has to answer for it."""
        limit_s = _GUEST_LIMIT_S if limit_s is None else limit_s
        if needs_answer:
            self._require_answering(doing, uuid, resource)
        self._slowly(self._bind(doing, uuid, resource, call), limit_s, self._late(doing, resource, limit_s))

    def _of_guest_meanwhile(
        self, doing: str, uuid: str, resource: str, call: Callable[[Any], object], limit_s: float
    ) -> Generator[float, None, None]:
        """As `_of_guest`, and yields how many seconds to wait before it is looked at again."""
        self._require_answering(doing, uuid, resource)
        late = self._late(doing, resource, limit_s)
        yield from self._in_turn(self._bind(doing, uuid, resource, call), limit_s, late)

    def _in_turn(self, call: Callable[[], Answer], limit_s: float, late: Problem) -> Generator[float, None, Answer]:
        """As `_meanwhile`, of a guest: a few at a time, each with its own bound."""
        while not self._places.acquire(blocking=False):
            yield _TURN_EVERY_S
        try:
            return (yield from self._meanwhile(call, limit_s, late))
        finally:
            self._places.release()

    def _of_process(self, doing: str, resource: str, call: Callable[[], object]) -> None:
        """Do what waits for a process of the node's that is no domain of ours."""

        def work() -> None:
            with self._errors(doing, resource, limit_s=math.inf):
                call()

        self._slowly(work, _GUEST_LIMIT_S, self._late(doing, resource, _GUEST_LIMIT_S))

    def _bind(self, doing: str, uuid: str, resource: str, call: Callable[[Any], object]) -> Callable[[], None]:
        def work() -> None:
            with self._errors(doing, resource, limit_s=math.inf):
                call(self._domain(uuid))

        return work

    def _require_answering(self, doing: str, uuid: str, resource: str) -> None:
        """Raise HypervisorError if its QEMU has been asked something for long, and has not answered."""
        with self._errors(doing, resource):
            state, since_ms = libvirt.VIR_DOMAIN_CONTROL_OK, 0
            # Neither a domain that does not run nor a container has a QEMU.
            with passing_over(libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_SUPPORT):
                state, _, since_ms = self._domain(uuid).controlInfo()
        if state == libvirt.VIR_DOMAIN_CONTROL_OCCUPIED and since_ms >= _SILENT_S * 1000:
            problem = Problem(
                f"{doing}: its QEMU has not answered what it was asked {since_ms / 1000:.0f} s ago, while libvirtd "
                "answers: it may be frozen, or its storage gone",
                f"On {self.node}: virsh list, and look at the process of its QEMU. Run again when it goes on.",
                self.node,
                resource,
            )
            raise HypervisorError([problem])

    def _late(self, doing: str, resource: str, limit_s: float) -> Problem:
        return Problem(
            f"{doing}: not done within {limit_s:.0f} s, while libvirtd answers: its QEMU may be frozen",
            f"On {self.node}: virsh list, and look at the process of its QEMU. The next run goes on.",
            self.node,
            resource,
        )
