# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices of nodes that are an instance's alone: no other gets them. So are the numbers of sockets (vsock): QEMU starts
no second guest with the number of another. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...._model.claims import key_of_device
from ..rows import merge_rows
from ..spec import Vm
from .context import Context, RefusedError, device_names_of, devices_of
from .state import Domain


def devices_wanted(want: Vm, current: Domain | None) -> list[str]:
    """Return what it is to have, such as `pci 0000:65:00.0`: what it has, where nothing is named."""
    if current is None:
        return device_names_of(want.further)
    named = {key: value for key in ("host_devices", "vsock") if (value := want.further.get(key)) is not None}
    if not named:
        return devices_of(current)
    has = {key: current.config.options.get(key) for key in ("host_devices", "vsock")}
    if "vsock" in named:
        named["vsock"] = merge_rows(has["vsock"] or {}, named["vsock"])
    return device_names_of({**has, **named})


def keys_of_devices(want: Vm, current: Domain | None, node: str, context: Context) -> list[str]:
    """Return what it takes of a node. What a running guest has is its own until its next start."""
    names = devices_wanted(want, current)
    keys = [key_of_device(context.have.nodes[node].row.id, name) for name in names]
    if current is not None:
        here = context.have.nodes[current.node].row.id
        keys += [key_of_device(here, name) for name in devices_of(current, live=True)]
    return list(dict.fromkeys(keys))


def find_taken(want: Vm, current: Domain | None, node: str, context: Context) -> list[str]:
    """Return which devices of a node others have."""
    node_id = context.have.nodes[node].row.id
    found = []
    for name in devices_wanted(want, current):
        holder = context.taken.get(key_of_device(node_id, name))
        if holder is not None and holder[1] != want.name:
            found.append(f"its device {name} is given to instance {holder[1]}")
    return found


def take_devices(taker: tuple[str, str], keys: Sequence[str], context: Context) -> None:
    """Two guests cannot drive one device. taker: the instance's identifier and name."""
    for key in keys:
        holder = context.taken.setdefault(key, taker)
        if holder[0] != taker[0]:
            raise RefusedError(
                f"the device {' '.join(key.split()[2:])} of its node is given to instance {holder[1]}",
                f"Choose another device or node, or take it from {holder[1]} first.",
            )
