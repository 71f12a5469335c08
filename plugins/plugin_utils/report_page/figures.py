# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures and times as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ("MiB", "GiB", "TiB", "PiB")


def show_mib(mib: float | None) -> str:
    """Return a size with at most one digit behind the point, such as 96 MiB or 7.8 GiB."""
    if mib is None:
        return "unknown"
    size = float(mib)
    for unit in _UNITS:
        if abs(size) < 1024 or unit == _UNITS[-1]:
            digits = f"{size:,.1f}".removesuffix(".0") if unit != "MiB" or 0 < size < 10 else f"{size:.0f}"
            return f"{digits} {unit}"
        size /= 1024
    raise AssertionError


def show_bytes(size: float | None) -> str:
    return show_mib(None if size is None else size / 1024**2)


def show_count(number: int, one: str, many: str | None = None) -> str:
    """Return such as `1 node` or `1,000 nodes`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def show_time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%d %H:%M:%S}"


def show_share(part: float, whole: float | None) -> str:
    """Return a part in percent, without digits behind the point; what is more than nothing is at least 1 %."""
    if not whole:
        return ""
    share = round(100 * part / whole)
    return f"{max(share, 1) if part else share} %"
