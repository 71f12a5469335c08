# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress on the terminal: what is being done, and how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .processes import LabError


def say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Says what begins, and its time when it has ended."""
    print(f"==> {what} ...", flush=True)
    started = time.monotonic()
    yield
    print(f"    {what}: {time.monotonic() - started:.1f} s", flush=True)


def wait_until(is_done: Callable[[], bool], *, what: str, limit_s: float, hint: str, pause_s: float = 0.3) -> None:
    """Asks until the answer is yes; after the limit raises LabError with the hint."""
    started = time.monotonic()
    next_notice = started + 10
    while not is_done():
        now = time.monotonic()
        if now - started > limit_s:
            raise LabError(f"{what}: not after {limit_s:.0f} s. {hint}")
        if now >= next_notice:
            print(f"    still waiting for {what} ({now - started:.0f} of at most {limit_s:.0f} s)", file=sys.stderr)
            next_notice = now + 10
        time.sleep(pause_s)
