# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What disks and the threads that work for them have to agree on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# Of one instance: more are of no use than its node has processors for.
MAX_THREADS = 64


def find_highest(disks: Iterable[Mapping[str, Any]]) -> int:
    """Return the highest number of a thread that disks name; 0 for none."""
    return max((disk.get("io_thread") or 0 for disk in disks), default=0)
