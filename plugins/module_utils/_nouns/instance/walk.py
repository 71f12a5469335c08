# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one walk over an instance's definition and what runs: rows in, differences and acts out. Pure.

It touches what a row claims, and keeps every other element, attribute and comment.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._fields.field import Field, Table, created
from ..._model.plan import Change
from .acts import Act, AttachDevice, DetachDevice, UpdateDevice
from .aspects import ASPECTS
from .devices import DEVICES
from .kinds import Aspect, Device, Need, Refusal

KINDS: tuple[Aspect | Device, ...] = (*ASPECTS, *DEVICES)
OPTIONS: dict[str, Field] = {kind.option: kind.field for kind in KINDS}

Wanted = Mapping[str, Any]


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
    found: dict[str, Any] = {}
    for kind in KINDS:
        if isinstance(kind, Aspect):
            values = _read_field(kind.field, root)
        else:
            element = _device(root, kind)
            values = _read(kind.table, element) if element is not None else None
        if values is not None:
            found[kind.option] = values
    return found


def edit(root: Any, wanted: Wanted) -> None:
    """Take a definition to what is wanted. wanted: by option; None is not managed, at any depth."""
    for kind in KINDS:
        values = wanted.get(kind.option)
        if values is None:
            continue
        if isinstance(kind, Aspect):
            _write(kind.option, kind.field, root, values)
        else:
            _edit_device(root, kind, values)


def refuse(after: Any, before: Any) -> list[Refusal]:
    """Return why a definition, as it would become, cannot be. before: as it is."""
    return [refusal for kind in KINDS for refusal in kind.refuse(after, before)]


def find_mistakes(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with the options of an instance by themselves, as pairs of a path and a problem."""
    return [mistake for kind in KINDS for mistake in kind.find_mistakes(values)]


def count_slots(wanted: Wanted) -> int:
    """Return how many PCIe root ports the devices of a new instance take."""
    return sum(kind.slots for kind in DEVICES if kind.is_wanted(wanted.get(kind.option)))


def list_needs(wanted: Wanted) -> list[Need]:
    """Return what a node must be able to do for what is wanted."""
    return [
        need
        for kind in KINDS
        if wanted.get(kind.option) is not None and (isinstance(kind, Aspect) or kind.is_wanted(wanted[kind.option]))
        for need in kind.needs(wanted[kind.option])
    ]


def compare(config: Wanted, live: Wanted | None, wanted: Wanted, running: Callable[[], Any]) -> Walked:
    """Return what leads from what there is, as `read` tells it, to what is wanted.

    live: of the running guest, None when it does not run; running: its definition, which is asked for only where a
    device of it has to be changed.
    """
    parts = [
        _compare_aspect(kind, config, live, wanted[kind.option])
        if isinstance(kind, Aspect)
        else _compare_device(kind, config, live, wanted[kind.option], running)
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
        (".".join(path), value)
        for kind in KINDS
        if wanted.get(kind.option) is not None
        for path, _field, value in _rows(kind.field, wanted[kind.option], (kind.option,))
        if value is not None
    ]


def _compare_aspect(kind: Aspect, config: Wanted, live: Wanted | None, wanted: Any) -> Walked:
    changes, drift, pending, acts = [], [], [], []
    for path, field, value in _rows(kind.field, wanted, (kind.option,)):
        name, was = ".".join(path), _at(config, path)
        runs = value if live is None else was if field.is_expanded else _at(live, path)
        act = None
        if live is not None and kind.act is not None and not _is_same(field, runs, value):
            act = kind.act(name, value, live)
        if not _is_same(field, was, value):
            is_at_once = act is not None or (field.effect == "live" and (live is None or _is_same(field, runs, value)))
            changes.append(Change(name, was, value, "live" if is_at_once else "next_boot"))
        if _is_same(field, runs, value):
            continue
        if act is not None:
            acts.append(act)
            drift += [Change(name, runs, value)] if _is_same(field, was, value) else []
        else:
            pending.append(Change(name, runs, value, "next_boot"))
    return Walked(changes=tuple(changes), drift=tuple(drift), pending=tuple(pending), acts=tuple(acts))


def _compare_device(
    kind: Device, config: Wanted, live: Wanted | None, wanted: Wanted, running: Callable[[], Any]
) -> Walked:
    changes = _differences(kind, config.get(kind.option), wanted)
    if live is None:
        return Walked(changes=changes)
    differences = _differences(kind, live.get(kind.option), wanted)
    if not differences:
        return Walked(changes=changes)
    acts = _plug(kind, _device(running(), kind), wanted)
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
    if not kind.is_wanted(wanted):
        return (DetachDevice(kind.option, have),) if "detach" in kind.hot else ()
    if have is None:
        return (AttachDevice(kind.option, _make(kind, wanted, config=None)),) if "attach" in kind.hot else ()
    if "update" in kind.hot:
        changed = copy.deepcopy(have)
        _write(kind.option, kind.field, changed, wanted)
        return (UpdateDevice(kind.option, changed),)
    if {"attach", "detach"} <= kind.hot:
        fresh = copy.deepcopy(have)
        # libvirt names and places it anew.
        for name in ("alias", "address"):
            for old in fresh.findall(name):
                fresh.remove(old)
        _write(kind.option, kind.field, fresh, wanted)
        return (DetachDevice(kind.option, have), AttachDevice(kind.option, fresh))
    return ()


def _differences(kind: Device, have: Wanted | None, wanted: Wanted) -> tuple[Change, ...]:
    """have: what there is of the device, None when there is none."""
    if have is not None and not kind.is_wanted(have):
        have = None
    if not kind.is_wanted(wanted):
        switch = f"{kind.option}.{kind.switch}"
        return (Change(switch, have.get(kind.switch), "none", "next_boot"),) if have is not None else ()
    values = wanted if have is not None else created(kind.table, wanted)
    found = {kind.option: have or {}}
    return tuple(
        Change(".".join(path), was, value, "next_boot")
        for path, field, value in _rows(kind.field, values, (kind.option,))
        if not _is_same(field, was := _at(found, path), value)
    )


def _edit_device(root: Any, kind: Device, wanted: Wanted) -> None:
    devices, element = root.find("devices"), _device(root, kind)
    if element is not None and kind.is_wanted(wanted) and kind.is_wanted(_read(kind.table, element)):
        _write(kind.option, kind.field, element, wanted)
        return
    if element is not None:
        if not kind.is_wanted(wanted) and not kind.is_wanted(_read(kind.table, element)):
            return
        devices.remove(element)
    if not kind.is_wanted(wanted) and not kind.says_none:
        return
    if devices is None:
        devices = root.makeelement("devices", {})
        root.append(devices)
    devices.append(_make(kind, wanted, config=devices))


def _make(kind: Device, wanted: Wanted, *, config: Any | None) -> Any:
    import xml.etree.ElementTree as ET

    element = config.makeelement(kind.tag, {}) if config is not None else ET.Element(kind.tag)
    if not kind.is_wanted(wanted):
        _write(kind.option, kind.field, element, {kind.switch: "none"})
        return element
    for place, value in kind.fixed:
        place.write(element, value)
    _write(kind.option, kind.field, element, created(kind.table, wanted))
    return element


def _device(root: Any, kind: Device) -> Any | None:
    devices = root.find("devices")
    if devices is None:
        return None
    return next((element for element in devices.findall(kind.tag) if kind.claims(element)), None)


def _at(values: Wanted, path: Sequence[str]) -> Any:
    """Return the value at a path; None where nothing is."""
    found: Any = values
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if found not in ("", ()) else None


def _is_same(field: Field, one: Any, other: Any) -> bool:
    if field.compare == "set" and one is not None and other is not None:
        return set(one) == set(other)
    return bool(one == other)


def _rows(field: Field, wanted: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Field, Any]]:
    """Yield (path, row, value) of everything that is wanted, at any depth. An empty text is None: it takes away."""
    if field.at is not None:
        yield path, field, (None if wanted in ("", ()) else wanted)
    elif field.table is not None:
        for key, inner in field.table.items():
            if wanted.get(key) is not None:
                yield from _rows(inner, wanted[key], (*path, key))


def _read_field(field: Field, element: Any) -> Any:
    if field.at is not None:
        return field.at.read(element)
    return (_read(field.table, element) or None) if field.table is not None else None


def _read(table: Table, element: Any) -> dict[str, Any]:
    return {key: value for key, field in table.items() if (value := _read_field(field, element)) is not None}


def _write(option: str, field: Field, element: Any, values: Any) -> None:
    """Write what is not there yet: what is written in another way, and is the same, stays as it is."""
    for _path, row, value in _rows(field, values, (option,)):
        if row.at is not None and not _is_same(row, row.at.read(element), value):
            row.at.write(element, value)


def unclaimed(field: Field, path: str = "") -> Sequence[str]:
    """Return the rows that have no place or no effect: a guard holds every row of an instance to both."""
    if field.table is not None and field.at is None:
        return [name for key, inner in field.table.items() for name in unclaimed(inner, f"{path}.{key}".lstrip("."))]
    return [path] if field.at is None or field.effect is None else []
