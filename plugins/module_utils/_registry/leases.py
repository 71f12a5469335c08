"""Leases: a resource under change has one holder.

A lease is a row with a unique key, so that the database, not a look-up, decides who has it. The holder renews it
while it works; a killed holder's lease runs out after `LIFETIME_S`.
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

from .._errors import LeaseError, Problem, RegistryError
from . import models
from .store import Registry

LIFETIME_S = 20.0
_RENEW_EVERY_S = 5.0
_RETRY_EVERY_S = 0.25


class Leases:
    """Leases on `keys`, held from `acquire` to the end of the context."""

    def __init__(self, registry: Registry, keys: Iterable[str], *, holder: str, timeout_s: float) -> None:
        """holder says to people who it is: user, host, run."""
        self._registry = registry
        # Everyone takes leases in the same order, so two runs cannot wait for each other.
        self._keys = sorted(set(keys))
        self._holder = holder
        self._timeout_s = timeout_s
        self._token = secrets.token_hex(16)
        self._stop = threading.Event()
        self._renewer: threading.Thread | None = None
        self.has_waited = False

    def __enter__(self) -> Leases:
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                busy = self._registry.transaction(self._take)
            except peewee.IntegrityError:
                # Another run took one between our look and our insert: the unique key has decided.
                continue
            if not busy:
                break
            self.has_waited = True
            if time.monotonic() >= deadline:
                raise LeaseError([_explain(lease, self._timeout_s) for lease in busy])
            time.sleep(_RETRY_EVERY_S)
        self._renewer = threading.Thread(target=self._renew, name="lease-renewer", daemon=True)
        self._renewer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._renewer is not None:
            self._renewer.join()

        def release() -> None:
            models.Lease.delete().where(models.Lease.token == self._token).execute()

        self._registry.transaction(release)

    def _take(self) -> list[models.Lease]:
        """Take all keys or none. Returns the leases of others that are in the way."""
        now = time.time()
        models.Lease.delete().where(models.Lease.expires < now).execute()
        busy: list[models.Lease] = []
        for chunk in peewee.chunked(self._keys, 200):
            busy += list(models.Lease.select().where(models.Lease.key.in_(chunk)))
        if busy:
            return busy
        rows = [
            {"key": key, "token": self._token, "holder": self._holder, "since": now, "expires": now + LIFETIME_S}
            for key in self._keys
        ]
        for batch in peewee.chunked(rows, 100):
            models.Lease.insert_many(batch).execute()
        return []

    def _renew(self) -> None:
        def write() -> None:
            models.Lease.update(expires=time.time() + LIFETIME_S).where(models.Lease.token == self._token).execute()

        while not self._stop.wait(_RENEW_EVERY_S):
            # A registry that is busy now may answer the next time: giving up would lose the lease for sure.
            with contextlib.suppress(RegistryError):
                self._registry.transaction(write)


def read(registry: Registry) -> list[dict[str, Any]]:
    """Return the leases that are held now."""

    def select() -> list[dict[str, Any]]:
        query = models.Lease.select().where(models.Lease.expires >= time.time()).order_by(models.Lease.key)
        return [{key: value for key, value in row.items() if key != "token"} for row in query.dicts()]

    return registry.transaction(select)


def _explain(lease: models.Lease, waited_s: float) -> Problem:
    since = datetime.fromtimestamp(lease.since, tz=UTC)
    return Problem(
        f"{lease.holder} has been changing it since {since:%H:%M:%S} UTC; waited {waited_s:g} s",
        "Wait for that run to end, or raise lease_timeout. A killed run's lease ends "
        f"{LIFETIME_S:g} s after it was last renewed.",
        resource=lease.key,
    )
