# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the audit trail for a module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._doors.registry import audit
from ..._doors.registry.audit import Wanted
from ..._doors.registry.store import Registry
from ..._model.errors import InvalidInputError, Problem
from .lines import describe_entry
from .spec import Search, parse_search
from .times import parse_time


def look_at_entries(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page of what is asked for, the oldest first, and the number after which the next one begins, or None.

    Raises PextraError. params: the options of pextra_audit_info.
    """
    search, mistakes = parse_search(params)
    if search is None:
        raise InvalidInputError([Problem(mistake.problem, resource=mistake.path) for mistake in mistakes])
    with Registry(params["registry"]) as registry:
        wanted = wanted_of(registry, search)
        # One more tells whether that is all.
        found = audit.read_page(registry, wanted, after=search.after, limit=search.limit + 1)
    page = found[: search.limit]
    return {
        "entries": [describe_entry(entry) for entry in page],
        "next": page[-1]["number"] if len(found) > len(page) else None,
    }


def wanted_of(registry: Registry, search: Search) -> Wanted:
    """Return what is asked for as the registry has it. Raises InvalidInputError for an organization nobody knows."""
    now = registry.now()
    since, until = (None if text is None else parse_time(text, now) for text in (search.since, search.until))
    return Wanted(
        since=since,
        until=until,
        organizations=_identify(registry, search.organizations),
        kinds=search.kinds,
        actors=search.actors,
        names=search.names,
    )


def _identify(registry: Registry, given: Sequence[str] | None) -> list[str] | None:
    if given is None:
        return None
    rows = registry.rows("organization")
    by_name = {row.name: row.id for row in rows}
    # The audit trail may be older than anything else that is left of one.
    unknown = [name for name in given if name not in by_name and not name.startswith("org-")]
    if unknown:
        raise InvalidInputError(
            [
                Problem(
                    f"there is no organization {name}",
                    f"There are: {', '.join(sorted(by_name)) or 'none'}. Of one that is gone give the identifier.",
                    resource="organizations",
                )
                for name in unknown
            ]
        )
    return [by_name.get(name, name) for name in given]
