# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving a running domain to another node: it may take as long as it makes progress."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import libvirt

from ..._model.errors import (
    HypervisorError,
    NotFoundError,
    PextraError,
    Problem,
)
from ..bounded import TooLateError, begin, wait
from .connection import Connection
from .domains import Domains

LOOK_EVERY_S = 1.0
_NO_PROGRESS_S = 60.0
_LEAST_S = 300.0
_SLOWEST_MIB_PER_S = 8
# How long it may take to end once it was stopped.
_ABORT_S = 30.0
_MOVING = {libvirt.VIR_DOMAIN_JOB_BOUNDED, libvirt.VIR_DOMAIN_JOB_UNBOUNDED}

_LOOK_AT_BOTH = "Look at it on both nodes (virsh list --all; virsh domjobinfo), then run again."


class Migration:
    """One that is under way. domain: on the node that it leaves."""

    def __init__(self, domain: Any) -> None:
        self._domain = domain
        self._began = self._moved = time.monotonic()
        self._limit_s = _LEAST_S + domain.info()[1] / 1024 / _SLOWEST_MIB_PER_S
        self._data: Any = None
        self._has_moved = False
        self._aborted: float | None = None
        # Why it was stopped, and what to do about that.
        self.why: tuple[str, str] | None = None
        # All is sent, or nearly, and the target decides whether the guest runs there. In doubt that is so.
        self.is_handing_over = False

    @property
    def is_late(self) -> bool:
        """Whether it was stopped, and does not end nevertheless."""
        return self._aborted is not None and time.monotonic() - self._aborted > _ABORT_S

    def look(self) -> None:
        """Look at how far it is, and stop it when that is no further than long ago. Raises libvirtError."""
        now = time.monotonic()
        is_paused = self._domain.state()[0] != libvirt.VIR_DOMAIN_RUNNING
        stats = self._domain.jobStats()
        is_moving = stats["type"] in _MOVING
        self._has_moved = self._has_moved or is_moving
        self.is_handing_over = is_paused or (self._has_moved and not is_moving)
        data = stats.get(libvirt.VIR_DOMAIN_JOB_DATA_PROCESSED)
        if not is_moving or data != self._data:
            self._data, self._moved = data, now
        if now - self._moved > _NO_PROGRESS_S:
            self.stop(
                f"it moved nothing for {_NO_PROGRESS_S:g} s, was stopped, and goes on where it was",
                "Look at the network between the nodes, and at the target; then run again.",
            )
        elif now - self._began > self._limit_s:
            self.stop(
                f"it was not done within {self._limit_s:.0f} s, was stopped, and goes on where it was",
                "Its memory may change faster than the network takes it: move it when it has less to do, or stopped.",
            )

    def miss(self) -> None:
        """Note that nothing could be looked at: its QEMU waits for the target's, and cannot even be told to stop."""
        now = time.monotonic()
        if self._aborted is None and now - self._moved > _NO_PROGRESS_S:
            self._aborted = now
            self.why = (
                f"it moved nothing for {_NO_PROGRESS_S:g} s, and its QEMU does not answer",
                "Look at the process of its QEMU on the target, and at the network between the nodes: when that goes "
                "on, or ends, so does this. Then run again.",
            )

    def stop(self, why: str, remedy: str) -> None:
        """Stop it; the guest goes on where it was. Once it is handed over, that has no effect. Raises libvirtError."""
        if self._aborted is None:
            self._aborted, self.why = time.monotonic(), (why, remedy)
            self._domain.abortJob()


class Migrations(Domains):
    """What is done to move domains."""

    def migrate(
        self,
        uuid: str,
        target: Connection,
        address: str,
        config: str,
        resource: str,
        *,
        certified: str,
        is_vouched: bool,
        become: Callable[[str], str] | None = None,
    ) -> None:
        """Move a running instance live to another node that sees the same volumes.

        address: to which its memory goes there; certified: the address in the target's certificate.

        This process drives both ends, so that no node needs rights on another; memory goes from QEMU to QEMU over
        TLS. `config` becomes the definition there, the definition here goes away. The caller vouches for the volumes:
        libvirt trusts only file systems that it knows as networked, and asks to be told of any other (`is_vouched`).
        become: takes what runs here, and returns what it is to be there; None for the same.
        """
        flags = (
            libvirt.VIR_MIGRATE_LIVE
            | libvirt.VIR_MIGRATE_TLS
            | libvirt.VIR_MIGRATE_PERSIST_DEST
            | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
        )
        if is_vouched:
            flags |= libvirt.VIR_MIGRATE_UNSAFE
        host = f"[{address}]" if ":" in address else address
        parameters = {
            libvirt.VIR_MIGRATE_PARAM_PERSIST_XML: config,
            libvirt.VIR_MIGRATE_PARAM_URI: f"tcp://{host}",
            libvirt.VIR_MIGRATE_PARAM_TLS_DESTINATION: certified,
        }
        doing = f"move it to {target.node}"
        with self._errors(doing, resource):
            domain = self._domain(uuid)
            if become is not None:
                running = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE | libvirt.VIR_DOMAIN_XML_SECURE)
                parameters[libvirt.VIR_MIGRATE_PARAM_DEST_XML] = become(running)
            migration = Migration(domain)

        def work() -> None:
            # Both ends are watched, and the one that freezes is given up.
            with target._watch.watched(doing, math.inf), self._errors(doing, resource, limit_s=math.inf):
                domain.migrate3(target._connection, parameters, flags)

        def leave_to_people() -> None:
            # libvirt would let it go on here, and it may run there already. Without us it is left paused.
            if migration.is_handing_over:
                self._watch.drop(f"it was to {doing}, which froze")

        with target._watch.before_giving_up(leave_to_people):
            try:
                self._watch_migration(
                    begin(work, PextraError, libvirt.libvirtError), migration, target, doing, resource
                )
            except PextraError as error:
                if target.frozen is not None:
                    raise HypervisorError(
                        [self._explain_frozen_target(migration, uuid, target, doing, resource)]
                    ) from error
                if migration.why is None:
                    raise
                what, remedy = migration.why
                raise HypervisorError([Problem(f"{doing}: {what}", remedy, self.node, resource)]) from error

    def _watch_migration(
        self, outcome: Future[None], migration: Migration, target: Connection, doing: str, resource: str
    ) -> None:
        looking: Future[None] | None = None
        while True:
            try:
                return wait(outcome, LOOK_EVERY_S)
            except TooLateError as error:
                if migration.is_late:
                    self._left_alone += 1
                    target._left_alone += 1
                    raise HypervisorError(
                        [
                            Problem(
                                f"{doing}: it was to be stopped, and does not end", _LOOK_AT_BOTH, self.node, resource
                            )
                        ]
                    ) from error
            if looking is None:
                looking = begin(partial(self._look, migration, target, doing, resource), PextraError)
            try:
                wait(looking, LOOK_EVERY_S)
                looking = None
            except TooLateError:
                migration.miss()

    def _look(self, migration: Migration, target: Connection, doing: str, resource: str) -> None:
        with contextlib.suppress(NotFoundError), self._errors(doing, resource, limit_s=math.inf):  # it has just left
            if target.frozen is None:
                migration.look()
            else:
                migration.stop(f"{target.node} froze meanwhile", target.frozen.remedy)

    def _explain_frozen_target(
        self, migration: Migration, uuid: str, target: Connection, doing: str, resource: str
    ) -> Problem:
        runs_here = False
        if not migration.is_handing_over:
            with contextlib.suppress(PextraError):
                runs_here = self.power_of(uuid, resource) == "running"
        if not runs_here or target.frozen is None:
            return _explain_lost_move(self.node, target.node, resource)
        what = f"{doing}: {target.node} froze meanwhile, and it goes on where it was"
        return Problem(what, target.frozen.remedy, self.node, resource)


def _explain_lost_move(source: str, target: str, resource: str) -> Problem:
    return Problem(
        f"move it to {target}: that node froze while it took over, and nobody knows whether it runs there",
        f"Look at {target} first (virsh list). If it does not run there and is paused on {source}, resume it on "
        f"{source} (virsh resume); never let it run on both.",
        source,
        resource,
    )
