# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims: what runs have decided that their resources take, from the decision until they end.

The nodes show it only once it is done. A planner that counts other runs' claims with what the nodes show can decide as
if it were; a claim is written in the transaction that finds that nobody else has decided since the plan was made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import peewee

from ..._model.claims import Claim, Room
from .store import Registry


def write(registry: Registry, token: str, claims: Iterable[Claim]) -> None:
    """Write the claims of the run that holds leases under `token`, instead of those that it had."""
    table = registry.tables.claim
    rows = [{"token": token, "resource": claim.resource, "what": _text(claim)} for claim in claims]

    def insert() -> None:
        table.delete().where(table.token == token).execute()
        for chunk in peewee.chunked(rows, 100):
            table.insert_many(chunk).execute()

    registry.transaction(insert)


def read(registry: Registry, *, but: str | None) -> list[Claim]:
    """Return the claims of all runs at work but the one that holds leases under the token `but`."""
    claim, lease = registry.tables.claim, registry.tables.lease

    def select() -> list[Claim]:
        living = lease.select(lease.token).where(lease.expires >= registry.now())
        query = claim.select(claim.resource, claim.what).where(claim.token.in_(living))
        if but is not None:
            query = query.where(claim.token != but)
        return [_parse(resource, what) for resource, what in query.tuples()]

    return registry.transaction(select)


def _text(claim: Claim) -> str:
    room = claim.room._asdict() if claim.room is not None else None
    return json.dumps({"name": claim.name, "takes": claim.takes, "room": room}, sort_keys=True)


def _parse(resource: str, text: str) -> Claim:
    what = json.loads(text)
    return Claim(resource, what["name"], tuple(what["takes"]), Room(**what["room"]) if what["room"] else None)
