# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points in time as people write them: a date, a date with a time, or an age. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from ..._model.mistake import shown

_AGE = re.compile(r"([0-9]{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
# Python reads more than people would write there.
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]{5,15}(Z|[+-][0-9]{2}:?[0-9]{2})?)?")


def check_time(value: str) -> str | None:
    if _AGE.fullmatch(value) or _parse_date(value) is not None:
        return None
    return (
        f"{shown(value)} is no point in time; write a date (2026-11-01), a date and a time (2026-11-01T08:00:00Z, UTC "
        "unless it says otherwise), or how long ago it was (90d; s, m, h, d and w are known)"
    )


def parse_time(value: str, now: float) -> float:
    """Return the seconds since the epoch of what check_time has found well. now: likewise, what ages count from."""
    age = _AGE.fullmatch(value)
    if age:
        return now - int(age[1]) * _SECONDS[age[2]]
    date = _parse_date(value)
    if date is None:
        raise ValueError(value)
    return date.timestamp()


def show_time(at: float) -> str | None:
    """Return the time by RFC 3339, in UTC; None for what is none."""
    try:
        return datetime.fromtimestamp(at, tz=UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return None


def _parse_date(value: str) -> datetime | None:
    if not _DATE.fullmatch(value):
        return None
    try:
        date = datetime.fromisoformat(value)
        # The first and the last days of all have no time in every zone.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
