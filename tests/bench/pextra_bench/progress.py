# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells what is being measured, on standard error: standard output is the result."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(what: str) -> Iterator[None]:
    print(f"--> {what}", file=sys.stderr, flush=True)
    started = time.monotonic()
    yield
    print(f"    {what}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
