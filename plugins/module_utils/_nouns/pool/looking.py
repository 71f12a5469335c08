# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Having libvirt look at a storage pool: what it lists is what it saw when it looked last."""

from __future__ import annotations

import time

from ..._doors.libvirt.hypervisor import Hypervisor
from ..._model.errors import BusyError, Problem

_POLL_EVERY_S = 0.25


def look_again(hypervisor: Hypervisor, pool: str, label: str, timeout_s: float) -> None:
    """Let libvirt look at a pool. While it makes a volume there, for whomever, it refuses to, and is asked again.

    Raises BusyError past the time limit: its list may be old.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            hypervisor.refresh_pool(pool)
        except BusyError as error:
            if time.monotonic() >= deadline:
                what = f"libvirt has been making another volume in storage pool {pool} for {timeout_s:g} s"
                raise BusyError([Problem(what, "Run again when it is done.", hypervisor.node, label)]) from error
            time.sleep(_POLL_EVERY_S)
        else:
            return
