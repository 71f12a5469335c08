# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one instance alone may have: units of targets, MAC addresses, and addresses in a network. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ...._model.claims import key_of_mac
from ...._model.rows import Row
from .context import Context, RefusedError, unit_of


def take_unit(unit: str, pool: Row, taker: tuple[str, str], context: Context) -> None:
    """Two guests on one unit destroy each other's file systems. taker: the instance's identifier and name."""
    holder = context.taken.setdefault(unit_of(pool, unit), taker)
    if holder[0] != taker[0]:
        raise RefusedError(
            f"{unit} of storage pool {pool.name} is used by instance {holder[1]}",
            "Choose another unit, or take it from that instance first.",
        )


def take_mac(mac: str, taker: tuple[str, str], context: Context) -> None:
    """Two guests with one MAC lose each other's frames. taker: the instance's identifier and name."""
    holder = context.taken.setdefault(key_of_mac(mac), taker)
    if holder[0] != taker[0]:
        raise RefusedError(
            f"the MAC address {mac} is that of instance {holder[1]}",
            "Choose another one, or leave it out: then one is made of the instance's identifier.",
        )


def take_addresses(keys: Sequence[str], taker: tuple[str, str], context: Context) -> None:
    """Two guests with one address in one network answer for each other. taker: the instance's identifier and name."""
    for key in keys:
        holder = context.taken.setdefault(key, taker)
        if holder[0] != taker[0]:
            raise RefusedError(
                f"the address {key.rpartition(' ')[2]} is that of instance {holder[1]}, in the same network",
                f"Choose another one, or take it from {holder[1]} first.",
            )
