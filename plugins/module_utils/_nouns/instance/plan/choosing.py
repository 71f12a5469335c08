# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a node's devices an instance gets where several will do: one of a model, of a resource pool, or a virtual
function of a NIC. What it has, it keeps. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...._model.claims import key_of_device
from ..aspects.host_devices import EXACT, WISHES
from ..devices.nic import find_unsuited, of_function
from ..node_devices import NodeDevice
from ..parts import name_nics
from ..spec import Vm
from .context import Context, RefusedError, device_names_of
from .host_devices import is_mine, list_wishes, tell_holder
from .resource_pools import find_resource_pool, is_in_pool
from .state import Domain, named_nics


def settle_devices(want: Vm, current: Domain | None, node: str, context: Context) -> Vm:
    """Return what is wanted with a device of the node for everything that leaves it to placement which one that is.

    Raises RefusedError if the node has none left for it.
    """
    settled, problems = _choose(want, current, node, context)
    if problems:
        raise RefusedError(
            f"it cannot have its devices on {node}: {'; '.join(problems)}",
            "Choose others or another node, or take one from what has it first, in a run of its own.",
        )
    return settled


def find_unchosen(want: Vm, current: Domain | None, node: str, context: Context) -> list[str]:
    """Return for what a node has no device left."""
    return _choose(want, current, node, context)[1]


@dataclass
class _Choice:
    """The devices of a node, of which one instance gets some. mine: what it has of them, or will have."""

    want: Vm
    node: str
    context: Context
    devices: tuple[NodeDevice, ...] | None
    mine: set[str]

    def pick(self, fits: Callable[[NodeDevice], bool]) -> str | None:
        """Return a device that fits, and is free; what goes with what it has comes first."""
        beside = {name for one in self.devices or () if one.name in self.mine for name in one.ties}
        found = self.find_free(fits)
        # What another of the call names may be on its node, too.
        named = self.context.named_devices
        found.sort(key=lambda one: (one.name not in beside, (None, one.name) in named, one.name))
        if not found:
            return None
        self.mine.add(found[0].name)
        return found[0].name

    def find_free(self, fits: Callable[[NodeDevice], bool]) -> list[NodeDevice]:
        return [one for one in self.devices or () if fits(one) and self._why_not(one) is None]

    def lacking(self, what: str, fits: Callable[[NodeDevice], bool]) -> str:
        """Tell why none can be had."""
        if self.devices is None:
            return f"it does not tell its devices, and so not whether it has {what}"
        reasons = [f"{one.name}: {self._why_not(one)}" for one in self.devices if fits(one)]
        return f"it has no {what}" if not reasons else f"it has no {what} left ({'; '.join(reasons)})"

    def keeps(self, name: str, fits: Callable[[NodeDevice], bool]) -> bool:
        """Tell whether what it has is what is wanted. Where that is not known it is left alone."""
        return self.devices is None or any(one.name == name and fits(one) for one in self.devices)

    def is_of_no_pool(self, device: NodeDevice) -> bool:
        """Tell whether no resource pool has it, any more: a pool that becomes smaller takes nothing from anyone."""
        pools = self.context.cluster.attributes.get("resource_pools") or ()
        return not any(is_in_pool(device, pool, self.node, self.context) for pool in pools)

    def may_keep(self, name: str) -> bool:
        """Tell whether nothing else of it names what it has, or what that is a part of."""
        wholes = {one.part_of for one in self.devices or () if one.name == name}
        return self.mine.isdisjoint({name, *wholes})

    def _why_not(self, device: NodeDevice) -> str | None:
        if device.name in self.mine:
            return "given to it already"
        if not device.is_free:
            return "needed by the node itself"
        if device.has_functions:
            return "there for its virtual functions"
        if device.is_divided:
            return "divided into mediated devices"
        if device.part_of in self.mine:
            return f"a part of {device.part_of}, which is given to it already"
        node_id = self.context.have.nodes[self.node].row.id
        for name in (device.name, *sorted(device.ties)):
            holder = self.context.taken.get(key_of_device(node_id, name))
            if holder is not None and not is_mine(holder, self.want):
                goes_with = f", with {name}," if name != device.name else ""
                return f"given{goes_with} to {tell_holder(holder, name, self.context)}"
            other = self.context.named_devices.get((self.node, name), self.want.name)
            if other != self.want.name:
                return f"named by instance {other} in this same run"
        return None


def _choose(want: Vm, current: Domain | None, node: str, context: Context) -> tuple[Vm, list[str]]:
    had = current.config.interfaces if current is not None and want.nics is not None else ()
    if not list_wishes(want) and not any(one.function for one in had):
        return want, []  # as of nearly all
    rows, nics = want.further.get("host_devices"), name_nics(want.nics or ())
    held = {label.name: one for label, one in named_nics(current.config)} if current is not None else {}
    functions = {nic.name or "": _function_wanted(nic.sr_iov, held.get(nic.name or "")) for nic in nics}
    has = (current.config.options.get("host_devices") or ()) if current is not None and current.node == node else ()
    known = {one["name"]: names[0] for one in has if (names := device_names_of({"host_devices": [one]}))}
    exact = device_names_of({"host_devices": rows or has})
    choice = _Choice(want, node, context, context.have.nodes[node].devices, set(exact))
    settled = _keep(choice, rows or (), known)
    kept = {
        name: held[name].device
        for name, nic in functions.items()
        if nic and name in held and held[name].device and current is not None and current.node == node
        if choice.may_keep(held[name].device) and choice.keeps(held[name].device, _is_function_of(nic))
    }
    kept |= {nic.name or "": f"pci {nic.function}" for nic in nics if nic.function}
    choice.mine |= set(kept.values())
    wishes = {
        f"host_devices.{row['name']}": _wish_of(row, node, context)[1]
        for n, row in enumerate(rows or ())
        if n not in settled
    }
    wishes |= {f"nics.{name}": _is_function_of(nic) for name, nic in functions.items() if nic and name not in kept}
    found = {}
    # What has the fewest to choose from chooses first: others can do with what it leaves.
    for path in sorted(wishes, key=lambda path: len(choice.find_free(wishes[path]))):
        found[path] = choice.pick(wishes[path])
    problems = []
    for number, row in enumerate(rows or ()):
        if number in settled:
            continue
        device = found[f"host_devices.{row['name']}"]
        if device is None:
            problems.append(f"for host_devices.{row['name']} {choice.lacking(*_wish_of(row, node, context))}")
        else:
            settled[number] = _exactly(row["name"], device)
    chosen = []
    for nic in nics:
        physical = functions[nic.name or ""]
        if not physical:
            chosen.append(nic)
            continue
        device = kept.get(nic.name or "") or found[f"nics.{nic.name or ''}"]
        if device is None:
            problems.append(f"for nics.{nic.name} {_lacking_function(choice, physical)}")
            continue
        unsuited = find_unsuited(nic.further)
        if unsuited:
            raise RefusedError(
                f"its NIC {nic.name} is a virtual function, which has no {', '.join(unsuited)}",
                "Leave it out, or make it a port of its vSwitch (sr_iov: an empty text).",
            )
        function = device.removeprefix("pci ")
        chosen.append(replace(nic, sr_iov=physical, function=function, further=of_function(nic.further)))
    if problems:
        return want, problems
    if rows is not None:
        want = replace(want, further={**want.further, "host_devices": tuple(settled[n] for n in range(len(rows)))})
    return replace(want, nics=want.nics if want.nics is None else tuple(chosen)), []


def _keep(choice: _Choice, rows: Any, known: Mapping[str, str]) -> dict[int, Mapping[str, Any]]:
    """Return the rows, by their numbers, that name their device or keep the one that they have."""
    settled: dict[int, Mapping[str, Any]] = {}
    for number, row in enumerate(rows):
        if not any(row.get(key) for key in WISHES):
            settled[number] = row
            continue
        name = known.get(row["name"])
        if name is not None and choice.may_keep(name):
            _, fits = _wish_of(row, choice.node, choice.context)
            if choice.keeps(name, fits) or (row.get("resource_pool") and choice.keeps(name, choice.is_of_no_pool)):
                settled[number] = _exactly(row["name"], name)
                choice.mine.add(name)
    return settled


def _exactly(name: str, device: str) -> dict[str, Any]:
    kind, _, which = device.partition(" ")
    return {"name": name, **{key: which if key == kind else None for key in (*EXACT, *WISHES)}}


def _wish_of(row: Mapping[str, Any], node: str, context: Context) -> tuple[str, Callable[[NodeDevice], bool]]:
    """Return what is wished for, in words, and what fits that."""
    if row.get("pci_model"):
        return (
            f"PCI device of the model {row['pci_model']}",
            lambda one: one.name.startswith("pci ") and one.model == row["pci_model"],
        )
    if row.get("mdev_type"):
        return (
            f"active mediated device of the type {row['mdev_type']}",
            lambda one: one.name.startswith("mdev ") and one.model == row["mdev_type"],
        )
    pool = find_resource_pool(row["resource_pool"], context)
    return f"device of resource pool {pool['name']}", lambda one: is_in_pool(one, pool, node, context)


def _function_wanted(named: str | None, held: Any) -> str:
    """Return the NIC of the node of which a NIC is to be a virtual function; nothing for one that is none."""
    if named is not None:
        return named
    return held.sr_iov if held is not None else ""


def _is_function_of(nic: str) -> Callable[[NodeDevice], bool]:
    return lambda one: nic in one.functions_of


def _lacking_function(choice: _Choice, nic: str) -> str:
    devices = choice.devices
    if devices is not None and not any(nic in one.nics for one in devices):
        return f"it has no NIC {nic}"
    if devices is not None and not any(nic in one.functions_of for one in devices):
        return f"its NIC {nic} has no virtual functions (they are made on the node, in sriov_numvfs of the NIC)"
    return choice.lacking(f"virtual function of its NIC {nic}", _is_function_of(nic))
