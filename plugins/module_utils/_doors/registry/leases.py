# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases: a resource under change has one holder, and what is only used has many, of whom none changes it.

A lease is a row, taken in a transaction of the registry: those come one after the other, so the database decides who
has it. The holder renews it while it works; a killed holder's lease runs out after `LIFETIME_S`, by the database's
clock, and whatever it has claimed (claims.py) with it. A holder that could not renew in time stops by itself.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import peewee

from ..._model.errors import LeaseError, Problem, RegistryError
from .store import Registry

LIFETIME_S = 20.0
_RENEW_EVERY_S = 5.0
_RETRY_EVERY_S = 0.25
# The holder counts less than the database does: it must have stopped when another may begin.
_SAFE_SHARE = 0.9


class Leases:
    """Leases on `keys`, held from `acquire` to the end of the context; those on `shared` are held beside others'."""

    def __init__(
        self, registry: Registry, keys: Iterable[str], *, holder: str, timeout_s: float, shared: Iterable[str] = ()
    ) -> None:
        """holder says to people who it is: user, host, run."""
        self._registry = registry
        # All are taken or none, so two runs cannot wait for each other.
        self._keys = sorted(set(keys))
        self._shared = sorted(set(shared) - set(keys))
        self._holder = holder
        self._timeout_s = timeout_s
        self.token = secrets.token_hex(16)
        self._stop = threading.Event()
        self._renewer: threading.Thread | None = None
        self._safe_until = 0.0
        self._is_lost = False
        self.has_waited = False

    def __enter__(self) -> Leases:
        deadline = time.monotonic() + self._timeout_s
        while True:
            begun = _clock()
            busy = self._registry.transaction(self._take)
            if not busy:
                break
            self.has_waited = True
            if time.monotonic() >= deadline:
                raise LeaseError([_explain(lease, self._timeout_s) for lease in busy])
            time.sleep(_RETRY_EVERY_S)
        self._safe_until = begun + _SAFE_SHARE * LIFETIME_S
        self._renewer = threading.Thread(target=self._renew, name="lease-renewer", daemon=True)
        self._renewer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._renewer is not None:
            self._renewer.join()
        lease, claim = self._registry.tables.lease, self._registry.tables.claim

        def release() -> None:
            lease.delete().where(lease.token == self.token).execute()
            claim.delete().where(claim.token == self.token).execute()

        # A registry that does not answer keeps nobody waiting: what is not released runs out.
        with contextlib.suppress(RegistryError):
            self._registry.transaction(release)

    def require(self) -> None:
        """Raise LeaseError if they may not be ours any more: whoever goes on then works beside their new holder."""
        if self._is_lost or _clock() >= self._safe_until:
            raise LeaseError(
                [
                    Problem(
                        "this run has lost its leases, since it or the registry stood still for too long, and has "
                        "stopped so as not to work beside another one",
                        "See that the registry answers, and run again: what is done already stays done.",
                    )
                ]
            )

    def require_in_registry(self) -> None:
        """Do the same in a transaction, which then is the holder's for sure."""
        self.require()
        lease = self._registry.tables.lease
        held = lease.select().where((lease.token == self.token) & (lease.expires >= self._registry.now())).count()
        self._is_lost = held < len(self._keys) + len(self._shared)
        self.require()

    def _take(self) -> list[Any]:
        """Take all keys or none. Returns the leases of others that are in the way."""
        lease, claim = self._registry.tables.lease, self._registry.tables.claim
        now = self._registry.now()
        lease.delete().where(lease.expires < now).execute()
        claim.delete().where(claim.token.not_in(lease.select(lease.token))).execute()
        exclusive = set(self._keys)
        busy: list[Any] = []
        for chunk in peewee.chunked([*self._keys, *self._shared], 200):
            found = lease.select().where(lease.key.in_(chunk))
            busy += [one for one in found if not one.shared or one.key in exclusive]
        if busy:
            return busy
        rows = [
            {
                "key": key,
                "token": self.token,
                "shared": key not in exclusive,
                "holder": self._holder,
                "since": now,
                "expires": now + LIFETIME_S,
            }
            for key in [*self._keys, *self._shared]
        ]
        for batch in peewee.chunked(rows, 100):
            lease.insert_many(batch).execute()
        return []

    def _renew(self) -> None:
        lease = self._registry.tables.lease

        def write() -> int:
            now = self._registry.now()
            mine = (lease.token == self.token) & (lease.expires >= now)
            return int(lease.update(expires=now + LIFETIME_S).where(mine).execute())

        while not self._stop.wait(_RENEW_EVERY_S):
            begun = _clock()
            # A registry that is busy now may answer the next time: giving up would lose the lease for sure.
            with contextlib.suppress(RegistryError):
                if self._registry.transaction(write) < len(self._keys) + len(self._shared):
                    self._is_lost = True
                    return
                self._safe_until = begun + _SAFE_SHARE * LIFETIME_S


def read(registry: Registry) -> list[dict[str, Any]]:
    """Return the leases that are held now."""
    lease = registry.tables.lease

    def select() -> list[dict[str, Any]]:
        query = lease.select().where(lease.expires >= registry.now()).order_by(lease.key, lease.since)
        return [{key: value for key, value in row.items() if key != "token"} for row in query.dicts()]

    return registry.transaction(select)


def _clock() -> float:
    """Return seconds that go on while the host sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _explain(lease: Any, waited_s: float) -> Problem:
    since = datetime.fromtimestamp(lease.since, tz=UTC)
    doing = "using" if lease.shared else "changing"
    return Problem(
        f"{lease.holder} has been {doing} it since {since:%H:%M:%S} UTC; waited {waited_s:g} s",
        "Wait for that run to end, or raise lease_timeout. A killed run's lease ends "
        f"{LIFETIME_S:g} s after it was last renewed.",
        resource=lease.key,
    )
