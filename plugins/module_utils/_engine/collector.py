# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python's garbage collector, in a process that ends soon."""

from __future__ import annotations

import gc


def spare_collector() -> None:
    """Let it look less often. What a module makes is hardly ever garbage: to look for some again and again took a
    quarter of the time that a thousand definitions need to be read.
    """
    gc.freeze()
    gc.set_threshold(500_000, 20, 100)
