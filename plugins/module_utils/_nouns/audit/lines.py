# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of the audit trail as text for other programs: JSON lines, syslog (RFC 5424), and systemd's journal. Pure.

Names and texts in them come from people and from outside: each format writes them so that none can pass for another
value, or another entry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ..._model.foreign_text import make_harmless
from .times import show_time

Entry = Mapping[str, Any]

# In this order, and no others: what a program relies on.
KEYS = (
    *("number", "at", "time", "run", "actor", "job", "revision", "kind", "name"),
    *("resource", "organization", "node", "what", "outcome"),
)
# "log audit" of RFC 5424.
_FACILITY = 13
_SEVERITIES = {"started": 5, "done": 5, "failed": 4}
_SEVERITY = 5
# The number that RFC 5612 keeps for examples: the collection has none of its own.
_ELEMENT = "pextra@32473"
# Of the message; a datagram has to hold it.
_LONGEST = 8000
_NOTHING = "-"


def describe_entry(entry: Entry) -> dict[str, Any]:
    """Return an entry as it is told: as it is in the registry, and the time as people write it."""
    told = {**entry, "time": show_time(entry["at"])}
    return {key: told.get(key) for key in KEYS}


def render_json(entry: Entry, host: str = "") -> str:  # noqa: ARG001 - as the other
    """Return one line. Whatever is no plain ASCII is escaped, so that no terminal acts on it."""
    return json.dumps({key: entry.get(key) for key in KEYS}, separators=(",", ":"))


def render_syslog(entry: Entry, host: str) -> str:
    """Return one message by RFC 5424, without a line's end. host: from which it is."""
    priority = 8 * _FACILITY + _severity(entry)
    time = show_time(entry["at"]) or _NOTHING
    header = f"<{priority}>1 {time} {_word(host, 255)} pextra {_NOTHING} {_word(entry['kind'], 32)}"
    values = "".join(
        f' {key}="{_escaped(_line(entry[key]))}"' for key in KEYS if key not in ("time", "what") and _is(entry, key)
    )
    text = render_message(entry)
    mark = "" if text.isascii() else "\ufeff"  # so that it is read as UTF-8
    return f"{header} [{_ELEMENT}{values}] {mark}{text}"


def render_journal(entry: Entry) -> bytes:
    """Return a datagram for the journal, with a field for each value."""
    fields = {
        "MESSAGE": render_message(entry),
        "PRIORITY": str(_severity(entry)),
        "SYSLOG_FACILITY": str(_FACILITY),
        "SYSLOG_IDENTIFIER": "pextra-audit",
        **{f"PEXTRA_{key.upper()}": _line(entry[key]) for key in KEYS if key != "what" and _is(entry, key)},
    }
    return "".join(f"{name}={value}\n" for name, value in fields.items()).encode("utf-8", "replace")


def render_message(entry: Entry) -> str:
    """Return an entry as one line for people."""
    where = f" on {entry['node']}" if entry.get("node") else ""
    end = f": {entry['outcome']}, by {entry['actor']}" + (f", {entry['job']}" if entry.get("job") else "")
    begin = _line(f"{entry['kind']} {entry['name']}{where}: {entry['what']}")
    rest = _line(end)
    most = max(0, _LONGEST - len(rest))
    return (begin if len(begin) <= most else begin[:most] + "...") + rest


# By the name of the format of a file.
RENDERERS: Mapping[str, Callable[[Entry, str], str]] = {"json": render_json, "syslog": render_syslog}


def _is(entry: Entry, key: str) -> bool:
    return entry.get(key) not in (None, "")


def _severity(entry: Entry) -> int:
    return _SEVERITIES.get(str(entry["outcome"]), _SEVERITY)


def _line(value: object) -> str:
    return " ".join(make_harmless(str(value).encode("utf-8", "replace")).split())


def _word(value: object, longest: int) -> str:
    """Return what may stand in a header: printable ASCII without blanks."""
    text = "".join(char if "!" <= char <= "~" else "_" for char in str(value))
    return text[:longest] or _NOTHING


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")
