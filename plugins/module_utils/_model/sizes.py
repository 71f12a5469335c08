# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes as people write them."""

from __future__ import annotations

import re
from fractions import Fraction

from .mistake import shown

_MIB_PER = {
    "KiB": Fraction(1, 1024),
    "MiB": Fraction(1),
    "GiB": Fraction(1024),
    "TiB": Fraction(1024**2),
    "PiB": Fraction(1024**3),
}
_SHORT = {"K": "KiB", "M": "MiB", "G": "GiB", "T": "TiB", "P": "PiB"}
# Longer numbers are nothing that anyone meant, and Python refuses to read those beyond 4,300 digits.
_PATTERN = re.compile(r"\s*(?P<number>[0-9]{1,30}(\.[0-9]{1,30})?)\s*(?P<unit>[A-Za-z]+)\s*")


def parse_size_mib(value: object, *, may_be_nothing: bool = False) -> tuple[int | None, str | None]:
    """Return (size in MiB, None) or (None, what is wrong). Sizes are binary; a bare number is ambiguous."""
    match = _PATTERN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None, f"{shown(value)} is not a size; write a number and a unit, such as 512 MiB or 2 GiB"
    unit = _SHORT.get(match["unit"].upper(), match["unit"])
    factor = next((mib for name, mib in _MIB_PER.items() if name.lower() == unit.lower()), None)
    if factor is None:
        return None, f"{shown(value)} has an unknown unit; write KiB, MiB, GiB, TiB or PiB"
    mib = Fraction(match["number"]) * factor
    if mib <= 0 and not may_be_nothing:
        return None, f"{shown(value)} is no size; write more than nothing"
    if mib.denominator != 1:
        return None, f"{shown(value)} is not a whole number of MiB"
    return int(mib), None


def show_size(mib: int) -> str:
    """Return a size in MiB the way a person would write it."""
    for unit in ("PiB", "TiB", "GiB"):
        factor = int(_MIB_PER[unit])
        if mib >= factor and mib % factor == 0:
            return f"{mib // factor} {unit}"
    return f"{mib} MiB"
