# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading instances' consoles on the node where they are, and waiting for what they say."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from ..._doors.host.console_logs import BEGIN, find_end, read_log
from ..._model.errors import InvalidInputError, PextraError, Problem
from ..._model.names import console_log
from .spec import ConsoleLook, parse_looks
from .text import tell

# What a result can carry without being in the way.
MOST_BYTES = 256 * 1024
_LOOK_EVERY_S = 0.25


def look_at_consoles(params: Mapping[str, Any], *, waits: bool) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return what the consoles say, in the order of their names, and what is wrong. waits: for `wait_for`."""
    looks, mistakes = parse_looks(params)
    if mistakes:
        raise InvalidInputError([Problem(mistake.problem, resource=mistake.path) for mistake in mistakes])
    begins = [_begin_of(look) for look in looks]
    deadline, pause = time.monotonic() + looks[0].timeout_s if looks else 0.0, threading.Event()
    found: list[dict[str, Any] | None] = [None] * len(looks)
    ends: list[str | None] = [None] * len(looks)
    while True:
        for index, (look, begin) in enumerate(zip(looks, begins, strict=True)):
            end = find_end(console_log(look.name))
            if end != ends[index]:
                ends[index], found[index] = end, _read(look, begin)
        is_waiting = waits and any(look.wait_for is not None and not _says(one) for look, one in _pairs(looks, found))
        if not is_waiting or time.monotonic() >= deadline:
            break
        pause.wait(_LOOK_EVERY_S)
    problems = [_problem(look, one, waits=waits) for look, one in _pairs(looks, found)]
    return [one for one in found if one is not None], [problem for problem in problems if problem is not None]


def _begin_of(look: ConsoleLook) -> str:
    """What is waited for must be new, unless it is said since when."""
    if look.since is not None:
        return look.since
    return find_end(console_log(look.name)) if look.wait_for is not None else BEGIN


def _read(look: ConsoleLook, begin: str) -> dict[str, Any] | None:
    try:
        reading = read_log(console_log(look.name), begin, MOST_BYTES)
    except OSError as error:
        what = f"{console_log(look.name)} cannot be read: {error.strerror or error}"
        raise PextraError(
            [Problem(what, "Run the task as root (become).", resource=f"instance {look.name}")]
        ) from error
    return tell(look, reading.data, reading.mark, is_cut=reading.is_cut) if reading is not None else None


def _pairs(
    looks: list[ConsoleLook], found: list[dict[str, Any] | None]
) -> list[tuple[ConsoleLook, dict[str, Any] | None]]:
    return list(zip(looks, found, strict=True))


def _says(found: dict[str, Any] | None) -> bool:
    return found is not None and found["found"] is not None


def _problem(look: ConsoleLook, found: dict[str, Any] | None, *, waits: bool) -> Problem | None:
    label = f"instance {look.name}"
    if found is None and (waits or look.wait_for is None):
        remedy = "Run the task on the node that it is on (delegate_to), which pextra_vm_info tells."
        return Problem("this host has no log of its console", remedy, resource=label)
    if waits and look.wait_for is not None and not _says(found):
        what = f"its console did not say {look.wait_for!r} within {look.timeout_s} s"
        return Problem(what, "What it said instead is in the result.", resource=label)
    return None
