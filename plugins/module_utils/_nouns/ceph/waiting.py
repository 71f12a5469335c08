# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for Ceph, with a bound: it moves data for as long as it needs, and raises no event when it is done."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..._engine.progress import shown_wait
from ..._model.errors import CephError

PLURAL = "ceph"
_POLL_S = 2.0


def wait_for(what: str, look: Callable[[], str | None], timeout_s: float) -> None:
    """Wait until `look` has nothing to say against it. Raises CephError with what it said last."""
    deadline = time.monotonic() + timeout_s
    with shown_wait(PLURAL, what) as show:
        while (reason := look()) is not None:
            if time.monotonic() >= deadline:
                raise CephError(f"{what}: not within {timeout_s:g} s. {reason}")
            show(reason)
            time.sleep(_POLL_S)
