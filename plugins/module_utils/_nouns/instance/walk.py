# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one walk over an instance's definition and what runs: rows in, differences and acts out. Pure.

It touches what a row claims, and keeps every other element, attribute and comment.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._fields.field import Field, Table, created
from ..._model.plan import Change, When
from .aspects import ASPECTS
from .devices import DEVICES
from .kinds import Aspect, Device, Refusal

KINDS: tuple[Aspect | Device, ...] = (*ASPECTS, *DEVICES)
OPTIONS: dict[str, Field] = {kind.option: kind.field for kind in KINDS}

Wanted = Mapping[str, Any]


@dataclass(frozen=True)
class AttachDevice:
    """element: what the running guest gets."""

    option: str
    element: Any

    @property
    def text(self) -> str:
        return f"attach the {self.option}"


@dataclass(frozen=True)
class DetachDevice:
    """element: what the running guest has."""

    option: str
    element: Any

    @property
    def text(self) -> str:
        return f"detach the {self.option}"


@dataclass(frozen=True)
class UpdateDevice:
    """element: what the running guest has, as it should be."""

    option: str
    element: Any

    @property
    def text(self) -> str:
        return f"change the {self.option}"


Act = AttachDevice | DetachDevice | UpdateDevice


@dataclass(frozen=True, kw_only=True)
class Walked:
    """changes: of the definition. drift: what the running guest alone has otherwise, and what acts mend at once.
    pending: what it gets by its next start.
    """

    changes: tuple[Change, ...] = ()
    drift: tuple[Change, ...] = ()
    pending: tuple[Change, ...] = ()
    acts: tuple[Act, ...] = ()


def read(root: Any) -> dict[str, Any]:
    """Return what a definition says of every option; an option of which it says nothing is left out."""
    found = {}
    for kind in KINDS:
        element = root if isinstance(kind, Aspect) else _device(root, kind)
        values = _read(kind.table, element) if element is not None else {}
        if values:
            found[kind.option] = values
    return found


def edit(root: Any, wanted: Wanted) -> None:
    """Take a definition to what is wanted. wanted: by option; None is not managed, at any depth."""
    for kind in KINDS:
        values = wanted.get(kind.option)
        if values is None:
            continue
        if isinstance(kind, Aspect):
            _write(kind.table, root, values)
        else:
            _edit_device(root, kind, values)


def refuse(root: Any) -> list[Refusal]:
    """Return why a definition, as it would become, cannot be."""
    return [refusal for kind in KINDS for refusal in kind.refuse(root)]


def find_mistakes(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with the options of an instance by themselves, as pairs of a path and a problem."""
    return [mistake for kind in KINDS for mistake in kind.find_mistakes(values)]


def count_slots(wanted: Wanted) -> int:
    """Return how many PCIe root ports the devices of a new instance take."""
    return sum(kind.slots for kind in DEVICES if is_wanted(wanted.get(kind.option)))


def compare(config: Any, live: Any | None, wanted: Wanted) -> Walked:
    """Return what leads from what there is to what is wanted. live: the running guest, None when it does not run."""
    parts = [
        _compare_aspect(kind, config, live, wanted[kind.option])
        if isinstance(kind, Aspect)
        else _compare_device(kind, config, live, wanted[kind.option])
        for kind in KINDS
        if wanted.get(kind.option) is not None
    ]
    return Walked(
        changes=tuple(change for part in parts for change in part.changes),
        drift=tuple(change for part in parts for change in part.drift),
        pending=tuple(change for part in parts for change in part.pending),
        acts=tuple(act for part in parts for act in part.acts),
    )


def list_values(wanted: Wanted) -> list[tuple[str, Any]]:
    """Return (path, value) of everything that is wanted."""
    return [
        (path, value)
        for kind in KINDS
        if wanted.get(kind.option) is not None
        for path, _field, value in _rows(kind.table, wanted[kind.option], kind.option)
    ]


def is_wanted(values: Wanted | None) -> bool:
    return values is not None and values.get("model") != "none"


def _compare_aspect(kind: Aspect, config: Any, live: Any | None, wanted: Wanted) -> Walked:
    changes, pending = [], []
    for path, field, value in _rows(kind.table, wanted, kind.option):
        if field.at is None:
            continue
        when: When = "live" if field.effect in ("live", "hot_plug") else "next_boot"
        was = field.at.read(config)
        if was != value:
            changes.append(Change(path, was, value, when))
        runs = field.at.read(live) if live is not None else value
        if runs != value:
            pending.append(Change(path, runs, value, "next_boot"))
    return Walked(changes=tuple(changes), pending=tuple(pending))


def _compare_device(kind: Device, config: Any, live: Any | None, wanted: Wanted) -> Walked:
    changes = _differences(kind, _device(config, kind), wanted)
    if live is None:
        return Walked(changes=changes)
    have = _device(live, kind)
    differences = _differences(kind, have, wanted)
    if not differences:
        return Walked(changes=changes)
    acts = _plug(kind, have, wanted)
    if not acts:
        return Walked(changes=changes, pending=differences)
    known = {change.field for change in changes}
    return Walked(
        changes=tuple(Change(change.field, change.before, change.after, "live") for change in changes),
        drift=tuple(change for change in differences if change.field not in known),
        acts=acts,
    )


def _plug(kind: Device, have: Any | None, wanted: Wanted) -> tuple[Act, ...]:
    """Return what gives the running guest what is wanted; nothing if it takes only a part of it."""
    if not is_wanted(wanted):
        return (DetachDevice(kind.option, have),) if "detach" in kind.hot else ()
    if have is None:
        return (AttachDevice(kind.option, _make(kind, wanted, config=None)),) if "attach" in kind.hot else ()
    if "update" in kind.hot:
        changed = copy.deepcopy(have)
        _write(kind.table, changed, wanted)
        return (UpdateDevice(kind.option, changed),)
    if {"attach", "detach"} <= kind.hot:
        fresh = copy.deepcopy(have)
        # libvirt names and places it anew.
        for name in ("alias", "address"):
            for old in fresh.findall(name):
                fresh.remove(old)
        _write(kind.table, fresh, wanted)
        return (DetachDevice(kind.option, have), AttachDevice(kind.option, fresh))
    return ()


def _differences(kind: Device, element: Any | None, wanted: Wanted) -> tuple[Change, ...]:
    if not is_wanted(wanted):
        had = _read(kind.table, element).get("model") if element is not None else None
        return (Change(f"{kind.option}.model", had, "none", "next_boot"),) if element is not None else ()
    values = wanted if element is not None else created(kind.table, wanted)
    return tuple(
        Change(path, was, value, "next_boot")
        for path, field, value in _rows(kind.table, values, kind.option)
        if field.at is not None and (was := field.at.read(element) if element is not None else None) != value
    )


def _edit_device(root: Any, kind: Device, wanted: Wanted) -> None:
    devices, element = root.find("devices"), _device(root, kind)
    if not is_wanted(wanted):
        if element is not None:
            devices.remove(element)
        return
    if element is not None:
        _write(kind.table, element, wanted)
        return
    if devices is None:
        devices = root.makeelement("devices", {})
        root.append(devices)
    devices.append(_make(kind, wanted, config=devices))


def _make(kind: Device, wanted: Wanted, *, config: Any | None) -> Any:
    import xml.etree.ElementTree as ET

    element = config.makeelement(kind.tag, {}) if config is not None else ET.Element(kind.tag)
    _write(kind.table, element, created(kind.table, wanted))
    return element


def _device(root: Any, kind: Device) -> Any | None:
    devices = root.find("devices")
    if devices is None:
        return None
    return next((element for element in devices.findall(kind.tag) if kind.claims(element)), None)


def _rows(table: Table, wanted: Mapping[str, Any], path: str) -> Iterator[tuple[str, Field, Any]]:
    """Yield (path, row, value) of everything that is wanted, at any depth."""
    for key, field in table.items():
        value = wanted.get(key)
        if value is None:
            continue
        if field.table is not None and field.at is None:
            yield from _rows(field.table, value, f"{path}.{key}")
        else:
            yield f"{path}.{key}", field, value


def _read(table: Table, element: Any) -> dict[str, Any]:
    found = {}
    for key, field in table.items():
        if field.at is not None:
            value = field.at.read(element)
        else:
            value = (_read(field.table, element) or None) if field.table is not None else None
        if value is not None:
            found[key] = value
    return found


def _write(table: Table, element: Any, values: Mapping[str, Any]) -> None:
    for _path, field, value in _rows(table, values, ""):
        if field.at is not None:
            field.at.write(element, value)


def unclaimed(table: Table) -> Sequence[str]:
    """Return the rows that have no place or no effect: a guard holds every row of an instance to both."""
    lacking = []
    for key, field in table.items():
        if field.table is not None and field.at is None:
            lacking += [f"{key}.{inner}" for inner in unclaimed(field.table)]
        elif field.at is None or field.effect is None:
            lacking.append(key)
    return lacking
