# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which a person looks for names: web-2 before web-10."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .model import Instance

_DIGITS = re.compile(r"([0-9]+)")


def name_key(name: str) -> list[tuple[int, int | str]]:
    """Return what to sort a name by: digits as the number that they are."""
    return [(0, int(part)) if part.isascii() and part.isdigit() else (1, part) for part in _DIGITS.split(name[:200])]


def by_name(instances: Iterable[Instance]) -> list[Instance]:
    return sorted(instances, key=lambda one: name_key(one.name))
