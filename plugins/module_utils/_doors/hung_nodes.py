# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which daemons of which nodes did not answer a moment ago: what one run found out the next need not wait for.

A deployment is several modules one after the other, and the job of the coordinators beside them. The first to meet a
frozen daemon waits for as long as one may take; for a while after that the others ask it shortly. One that answers is
asked like any other again.
"""

from __future__ import annotations

import contextlib
import os
import time

DIRECTORY = "/run/pextra/hung"
OPENING_S = 10.0
_SHORT_S = 2.0
_REMEMBERED_S = 600.0
# Whichever of the node's daemons.
_ANY = "any"


def opening_bound(node: str, daemon: str) -> float:
    """How many seconds opening a connection to a daemon may take."""
    return _SHORT_S if _is_remembered(node, daemon) or _is_remembered(node, _ANY) else OPENING_S


def _is_remembered(node: str, daemon: str) -> bool:
    try:
        age = time.time() - os.stat(_path_of(node, daemon)).st_mtime
    except OSError:
        return False
    return 0 <= age < _REMEMBERED_S


def suspect(node: str) -> None:
    """Note that the node itself did not answer, over ssh: so its daemons may not, and are asked shortly."""
    _note(node, _ANY)


def remember(node: str, daemon: str) -> None:
    """Note that it did not answer. What was noted before is not made younger: then it was asked shortly."""
    if not _is_remembered(node, daemon):
        _note(node, daemon)


def _note(node: str, daemon: str) -> None:
    with contextlib.suppress(OSError):  # it only saves time
        os.makedirs(DIRECTORY, mode=0o700, exist_ok=True)
        path = _path_of(node, daemon)
        with open(path, "w", encoding="utf-8"):
            os.utime(path)


def forget(node: str, daemon: str) -> None:
    """Note that it answers."""
    for each in (daemon, _ANY):
        with contextlib.suppress(OSError):
            os.unlink(_path_of(node, each))


def _path_of(node: str, daemon: str) -> str:
    return os.path.join(DIRECTORY, f"{node}.{daemon}".replace("/", "_"))
