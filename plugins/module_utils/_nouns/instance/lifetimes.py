# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an instance was made, and since when its guest runs. Pure.

libvirt knows neither. When it was made is a label. Who starts a guest of ours writes when that was into the metadata of
the running one alone, so that it is gone when the guest is: of one that libvirt has started with its node, or a person
by hand, nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

URI = "urn:pextra:run:1"
PREFIX = "run"
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_STARTED = re.compile(rf"""<[^<>]*{re.escape(URI)}['"][^<>]*?\sstarted=['"]([^'"]*)['"]""")


def write_time(now: float | None) -> str | None:
    """Return a time, in seconds since 1970, as a text."""
    return None if now is None else datetime.fromtimestamp(now, UTC).strftime(_FORMAT)


def read_time(text: str | None) -> float | None:
    """Return the time of a text; None for what a hand has made of it."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time.timestamp() if time.tzinfo is not None else None


def render_start(now: float) -> str:
    """Return the element of a guest that is started now. libvirt declares the prefix itself."""
    return f'<run xmlns="{URI}" started="{write_time(now)}"/>'


def describe_lifetime(created: str | None, xml: str, live_xml: str | None, now: float | None) -> Mapping[str, Any]:
    """Return when an instance was made and started, and for how many seconds it runs.

    A definition that was made of a running guest's (virsh dumpxml) has that one's start, and says nothing of others.
    """
    found = _STARTED.search(live_xml) if live_xml is not None and URI in live_xml and URI not in xml else None
    started = read_time(found[1]) if found is not None else None
    return {
        "created": write_time(read_time(created)),
        "started": write_time(started),
        "uptime_s": None if started is None or now is None else max(0, int(now - started)),
    }
