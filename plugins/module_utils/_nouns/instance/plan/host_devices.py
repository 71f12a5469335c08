# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices of nodes that are an instance's alone: no other gets them. So are the numbers of sockets (vsock): QEMU starts
no second guest with the number of another. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ...._model.claims import key_of_device
from ..aspects.host_devices import WISHES
from ..rows import merge_rows
from ..spec import Vm
from .context import Context, RefusedError, device_names_of, devices_of, exact_names_of
from .state import Domain

_IN_TWO_RUNS = (
    "A device changes hands in two runs: one that takes it away, which is done once what had it has let go of it, has "
    "restarted or is stopped, and one that gives it. Where two exchange theirs, leave both out of the first."
)


def devices_wanted(want: Vm, current: Domain | None) -> list[str]:
    """Return what it is to have, such as `pci 0000:65:00.0`: what it has, where nothing is named.

    Of what is left to placement nothing, until `settle_devices` has chosen.
    """
    if want.nics is not None:
        functions = [f"pci {nic.function}" for nic in want.nics if nic.function]
    else:
        functions = [one.device for one in current.config.interfaces if one.device] if current is not None else []
    if current is None:
        return [*device_names_of(want.further), *functions]
    named = {key: value for key in ("host_devices", "vsock") if (value := want.further.get(key)) is not None}
    if not named:
        return [*devices_of(current, but_nics=True), *functions]
    has = {key: current.config.options.get(key) for key in ("host_devices", "vsock")}
    if "vsock" in named:
        named["vsock"] = merge_rows(has["vsock"] or {}, named["vsock"])
    return [*device_names_of({**has, **named}), *functions]


def list_wishes(want: Vm) -> tuple[tuple[str, str], ...]:
    """Return what of its devices is left to placement."""
    wishes = [(key, one[key]) for one in want.further.get("host_devices") or () for key in WISHES if one.get(key)]
    return (*wishes, *(("sr_iov", nic.sr_iov) for nic in want.nics or () if nic.sr_iov and not nic.function))


def take_devices(want: Vm, current: Domain | None, instance_id: str, node: str, context: Context) -> list[str]:
    """Take of a node what it is to have, and return the keys of that. Two guests cannot drive one device.

    What a running guest has is its own until it has let go of it.
    """
    wanted, runs = devices_wanted(want, current), devices_of(current, live=True) if current is not None else []
    if not wanted and not runs:
        return []  # as of nearly all
    keys = [key_of_device(context.have.nodes[node].row.id, name) for name in wanted]
    _require_once(want, current, node, context)
    if current is not None:
        here = context.have.nodes[current.node].row.id
        keys += [key_of_device(here, name) for name in runs]
    for key in dict.fromkeys(keys):
        holder = context.taken.setdefault(key, (instance_id, want.name))
        if holder[0] != instance_id:
            device = " ".join(key.split()[2:])
            raise RefusedError(
                f"the device {device} of its node is given to {tell_holder(holder, device, context)}",
                _IN_TWO_RUNS
                if _gives_up(holder, device, context)
                else f"Choose another device or node, or take it from {holder[1]} first.",
            )
    tied = (
        []
        if current is not None and node == current.node and not _is_new(want, current)
        else list(_find_tied(want, current, node, context))
    )
    if tied:
        raise RefusedError("; ".join(tied), "Choose another device or node, or take it from there first.")
    return list(dict.fromkeys(keys))


def find_cold(want: Vm, current: Domain, node: str, context: Context) -> frozenset[str]:
    """Return the options of which a running guest gets and loses nothing before its next start, though it could. node:
    where it is to be.

    An IOMMU group goes to one guest as a whole: of a part of it libvirt would refuse the plugging, and giving it back.
    """
    if want.further.get("host_devices") is None or current.live is None:
        return frozenset()
    moving = _named_devices(want.further) ^ _named_devices(current.live.options)
    grouped = {one.name for one in context.have.nodes[current.node].devices or () if one.is_grouped}
    is_cold = node != current.node or any(device in grouped for _, device in moving)
    return frozenset({"host_devices"}) if is_cold else frozenset()


def _named_devices(options: Mapping[str, Any]) -> set[tuple[str, str]]:
    rows = options.get("host_devices") or ()
    return {(row["name"], device) for row in rows for device in exact_names_of({"host_devices": [row]})}


def _require_once(want: Vm, current: Domain | None, node: str, context: Context) -> None:
    """Refuse one device twice, and one beside a part of itself: libvirt starts no such guest. What it has so already is
    no reason to leave it unplanned.
    """
    wanted, has = Counter(devices_wanted(want, current)), Counter(devices_of(current) if current is not None else ())
    found = [f"the device {name} is given to it twice" for name, count in wanted.items() if count > max(1, has[name])]
    for one in context.have.nodes[node].devices or () if wanted else ():
        pair = {one.name, one.part_of}
        if pair <= wanted.keys() and not pair <= has.keys():
            found.append(f"it is given the device {one.name} beside {one.part_of}, of which that is a part")
    if found:
        raise RefusedError("; ".join(found), "Leave one of them out: of host_devices, or sr_iov of a NIC.")


def find_taken(want: Vm, current: Domain | None, node: str, context: Context) -> list[str]:
    """Return which devices of a node others have."""
    node_id = context.have.nodes[node].row.id
    found = []
    for name in devices_wanted(want, current):
        holder = context.taken.get(key_of_device(node_id, name))
        if holder is not None and not is_mine(holder, want):
            found.append(f"its device {name} is given to {tell_holder(holder, name, context)}")
    return found or list(_find_tied(want, current, node, context))


def is_mine(holder: tuple[str, str], want: Vm) -> bool:
    """What is nobody's of ours has no identifier."""
    return holder[0] != "" and holder[1] == want.name


def tell_holder(holder: tuple[str, str], device: str, context: Context) -> str:
    if not holder[0]:
        return f"virtual machine {holder[1]}, which is not the cloud's"
    gives_up = ", which is to give it up in this same run" if _gives_up(holder, device, context) else ""
    return f"instance {holder[1]}{gives_up}"


def _is_new(want: Vm, current: Domain) -> bool:
    """Tell whether it is to have what it has not yet: what it has is no reason to leave it unplanned."""
    return not set(devices_wanted(want, current)) <= set(devices_of(current))


def _find_tied(want: Vm, current: Domain | None, node: str, context: Context) -> Iterator[str]:
    """Yield what others have that cannot be theirs beside what this one is to have."""
    state, wanted = context.have.nodes[node], set(devices_wanted(want, current))
    for device in state.devices or () if wanted else ():
        for name in sorted(device.ties) if device.name in wanted else ():
            holder = context.taken.get(key_of_device(state.row.id, name))
            if holder is not None and not is_mine(holder, want):
                told = tell_holder(holder, name, context)
                yield f"its device {device.name} goes to one guest together with {name}, which is given to {told}"


def _gives_up(holder: tuple[str, str], device: str, context: Context) -> bool:
    """Tell whether the holder of a device is to lose it in the same call."""
    want, domains = context.wants.get(holder[1]), context.by_name.get(holder[1])
    if want is None or not domains:
        return False
    if want.state == "absent":
        return True
    rows, has = want.further.get("host_devices"), domains[0].config.options.get("host_devices") or ()
    names = [one["name"] for one in has if device in device_names_of({"host_devices": [one]})]
    if rows is None or not names:
        return False
    kept = [one for one in rows if one["name"] in names and any(one.get(key) for key in WISHES)]
    return not kept and device not in device_names_of({"host_devices": rows})
