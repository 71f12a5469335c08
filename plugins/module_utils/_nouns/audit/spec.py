# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the audit trail, and what is added to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._fields.common import parse_spec
from ..._fields.field import Field, parse
from ..._model.mistake import Mistake, shown
from ..._model.nouns import KINDS
from .times import check_time

# What is done beside the resources: to hosts, and to what the deployment stands on.
BESIDE = ("audit", "ceph", "certificate", "drive", "host", "osd", "registry")
RECORDED = (*KINDS, *BESIDE)
OUTCOMES = ("started", "done", "failed")
JOURNAL = "/run/systemd/journal/socket"
# As long as the columns of the registry.
_LONGEST_NAME = 255
# Of what was done; a plan of a thousand steps is shorter.
_LONGEST_TEXT = 10_000
_LONGEST_SOCKET = 107


def check_short(value: str) -> str | None:
    return _check_line(value, _LONGEST_NAME)


def check_text(value: str) -> str | None:
    return _check_line(value, _LONGEST_TEXT)


def _check_line(value: str, longest: int) -> str | None:
    if not 0 < len(value) <= longest:
        return f"has {len(value)} characters; write 1 to {longest}"
    return None if value.isprintable() else f"{shown(value)} is not one line of plain text"


def check_socket(value: str) -> str | None:
    if value.startswith("/") and len(value.encode("utf-8", "replace")) <= _LONGEST_SOCKET and "\0" not in value:
        return None
    return f"is no path of a socket; write an absolute path of at most {_LONGEST_SOCKET} bytes"


FILTERS = {
    "since": Field(
        kind="str",
        check=check_time,
        help="Only entries from then on: a date (V(2026-11-01)), a date and a time (V(2026-11-01T08:00:00Z), in UTC "
        "unless it says otherwise), or how long ago (V(30d), V(12h)).",
    ),
    "until": Field(kind="str", check=check_time, help="Only entries from before then, written likewise."),
    "organizations": Field(
        kind="list",
        element=Field(kind="str", help="An organization, by name or identifier."),
        help="Only entries of these organizations and of what is theirs, by name or identifier. Of one that is gone "
        "the identifier alone is known. What is nobody's, such as a node, is left out.",
    ),
    "kinds": Field(
        kind="list",
        element=Field(kind="str", choices=RECORDED, help="A kind of resource, or of what is done to hosts."),
        help="Only entries of these kinds.",
    ),
    "actors": Field(
        kind="list",
        element=Field(kind="str", help="Who did it."),
        help="Only entries of these people or jobs, by name, wherever they were.",
    ),
    "names": Field(
        kind="list",
        element=Field(kind="str", help="A resource, by name or identifier."),
        help="Only entries of these resources, such as instances, by name or identifier.",
    ),
}
ENTRY = {
    "kind": Field(kind="str", required=True, choices=RECORDED, help="What kind of thing it was done to."),
    "name": Field(kind="str", required=True, check=check_short, help="The name of what it was done to."),
    "what": Field(
        kind="str", required=True, check=check_text, help="What was done, on one line, for people. Never a secret."
    ),
    "node": Field(kind="str", check=check_short, help="The node that it was done on."),
    "outcome": Field(
        kind="str", default="done", choices=OUTCOMES, help="How it ended, or V(started) before it is done."
    ),
}
FORWARD = {
    "socket": Field(
        kind="str",
        default=JOURNAL,
        check=check_socket,
        help="The socket on the coordinator, which takes datagrams: the journal's, or a syslog daemon's.",
    ),
    "format": Field(
        kind="str",
        default="journal",
        choices=("journal", "syslog"),
        help="V(journal) is the journal's own, with a field for each value. V(syslog) is RFC 5424, a datagram for each "
        "entry, for daemons that read it on that socket.",
    ),
}

# What pextra_audit is told.
FIELDS = {
    "entries": Field(
        kind="list",
        element=Field(kind="dict", table=ENTRY, help="An entry."),
        help="Entries to add, in this order.",
    ),
    "forward": Field(
        kind="dict",
        table=FORWARD,
        help="Where to send all that was not sent there yet. A call that is killed may have sent some of it, which the "
        "next one sends again; it loses none.",
    ),
    "remove_before": Field(
        kind="str",
        check=check_time,
        help="Remove the entries that are older than a date (V(2026-01-01)), a date and a time "
        "(V(2026-01-01T08:00:00Z)) or an age (V(365d)). It needs O(confirm=DESTROY), and nothing younger than a day is "
        "removed. At least one of O(entries), O(forward) and O(remove_before) is needed.",
    ),
    "without_registry": Field(
        kind="str",
        default="fail",
        choices=("fail", "warn"),
        help="What becomes of O(entries) where there is no registry yet, or one of an older version of the collection, "
        "as on hosts that are being prepared. With V(warn) they are lost, with a warning.",
    ),
}
# What pextra_audit_info is told.
PAGE = {
    **FILTERS,
    "after": Field(
        kind="int",
        default=0,
        minimum=0,
        maximum=2**62,
        help="Only entries with greater numbers: RV(next) of the page before.",
    ),
    "limit": Field(
        kind="int",
        default=1000,
        minimum=1,
        maximum=10_000,
        help="How many entries to return at most. RV(next) says where the others begin.",
    ),
}
# What pextra_audit_export is told.
EXPORT = {
    **FILTERS,
    "path": Field(
        kind="str",
        required=True,
        help=(
            "The file to write, on the controller, from where Ansible was called. Its directory has to be there. What "
            "is in it already is replaced if it is an audit trail, and refused otherwise."
        ),
    ),
    "format": Field(
        kind="str",
        default="json",
        choices=("json", "syslog"),
        help="V(json) is a JSON object on each line, V(syslog) a message by RFC 5424 on each.",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Search:
    """Which entries are asked for, times as people write them; and which page of them."""

    since: str | None = None
    until: str | None = None
    organizations: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    actors: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None
    after: int = 0
    limit: int = 1000


@dataclass(frozen=True, kw_only=True)
class Act:
    """One entry that is to be added."""

    kind: str
    name: str
    what: str
    node: str | None = None
    outcome: str = "done"


@dataclass(frozen=True, kw_only=True)
class Forwarding:
    """Where entries are sent, and how they are written."""

    socket: str = JOURNAL
    format: str = "journal"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be done to the audit trail. before: up to when it is removed, as people write it."""

    acts: tuple[Act, ...] = ()
    forwarding: Forwarding | None = None
    before: str | None = None
    may_be_lost: bool = False


def parse_search(params: Mapping[str, Any]) -> tuple[Search | None, list[Mistake]]:
    """Parse what is asked for. Returns (search or None, mistakes)."""
    return parse_spec(PAGE, Search, {name: params.get(name) for name in PAGE}, "")


def parse_order(params: Mapping[str, Any]) -> tuple[Order, list[Mistake]]:
    """Parse what is to be done. Returns (order, mistakes); it is complete if there are none."""
    values, mistakes = parse(FIELDS, {name: params.get(name) for name in FIELDS}, "")
    if mistakes:
        return Order(), mistakes
    order = Order(
        acts=tuple(Act(**entry) for entry in values["entries"] or ()),
        forwarding=Forwarding(**values["forward"]) if values["forward"] is not None else None,
        before=values["remove_before"],
        may_be_lost=values["without_registry"] == "warn",
    )
    return order, []
