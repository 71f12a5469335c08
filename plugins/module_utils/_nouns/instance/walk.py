# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one walk over an instance's definition and what runs: rows in, differences and acts out. Pure.

It touches what a row claims, and keeps every other element, attribute and comment.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._fields.field import Field, created
from ..._model.plan import Change, When
from .acts import Act, AttachDevice, DetachDevice, UpdateDevice
from .aspects import ASPECTS
from .devices import DEVICES
from .kinds import TYPES, Aspect, Device, Need, Refusal, Type
from .rows import (
    Wanted,
    change_of,
    is_same,
    iterate_rows,
    merge_rows,
    read_field,
    read_rows,
    show,
    value_at,
    write_field,
)

KINDS: tuple[Aspect | Device, ...] = (*ASPECTS, *DEVICES)
_IN_TURN = sorted(KINDS, key=lambda kind: isinstance(kind, Aspect) and kind.is_last)
_KINDS_OF = {name: tuple(kind for kind in KINDS if name in kind.types) for name in TYPES}
_KIND_OF = {kind.option: kind for kind in KINDS}
OPTIONS: dict[str, Field] = {kind.option: kind.field for kind in KINDS}


@dataclass(frozen=True, kw_only=True)
class Walked:
    """changes: of the definition. drift: what the running guest alone has otherwise, and what acts mend at once.
    pending: what it gets by its next start.
    """

    changes: tuple[Change, ...] = ()
    drift: tuple[Change, ...] = ()
    pending: tuple[Change, ...] = ()
    acts: tuple[Act, ...] = ()


_AS_WANTED = Walked()


def type_of(root: Any) -> Type:
    """Return the type of instance that a definition is of."""
    return "lxc" if root.get("type") == "lxc" else "qemu"


def find_unsuited(wanted: Wanted, type_: Type) -> list[str]:
    """Return the options of which an instance of a type can have nothing, and which want something."""
    return [
        kind.option
        for kind in KINDS
        if type_ not in kind.types
        and wanted.get(kind.option) is not None
        and (isinstance(kind, Aspect) or kind.is_wanted(wanted[kind.option]))
    ]


def read(root: Any) -> dict[str, Any]:
    """Return what a definition says of every option; an option of which it says nothing is left out."""
    found: dict[str, Any] = {}
    for kind in _KINDS_OF[type_of(root)]:
        if isinstance(kind, Aspect):
            values = read_field(kind.field, root)
        else:
            element = _device(root, kind)
            values = read_rows(kind.table, element) if element is not None else None
        if values is not None:
            found[kind.option] = values
    return found


def edit(root: Any, wanted: Wanted) -> None:
    """Take a definition to what is wanted. wanted: by option; None is not managed, at any depth."""
    for kind in _KINDS_OF[type_of(root)]:
        values = wanted.get(kind.option)
        if values is None:
            continue
        if isinstance(kind, Aspect):
            write_field(kind.option, kind.field, root, values)
        else:
            _edit_device(root, kind, values)


def leave_out_implied(root: Any) -> None:
    """Take from a definition what libvirt adds by itself, where it knows it: another node's libvirt may not."""
    devices = root.find("devices")
    for kind in DEVICES if devices is not None else ():
        for element in kind.implied(devices.findall(kind.tag)):
            devices.remove(element)


def refuse(after: Any, before: Any) -> list[Refusal]:
    """Return why a definition, as it would become, cannot be. before: as it is."""
    return [refusal for kind in _KINDS_OF[type_of(after)] for refusal in kind.refuse(after, before)]


def find_mistakes(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with the options of an instance by themselves, as pairs of a path and a problem.

    Of values of which a part could not be understood, which is told elsewhere, nothing more is told.
    """
    whole = {key: value for key, value in values.items() if key not in OPTIONS or _is_whole(OPTIONS[key], value)}
    return [mistake for kind in KINDS for mistake in kind.find_mistakes(whole)]


def _is_whole(field: Field, value: Any) -> bool:
    if value is None:
        return not field.required
    if field.element is not None:
        return all(_is_whole(field.element, one) for one in value)
    return field.table is None or all(_is_whole(inner, value.get(key)) for key, inner in field.table.items())


def count_slots(wanted: Wanted) -> int:
    """Return how many PCIe root ports a new instance takes for what is wanted."""
    devices = sum(kind.slots for kind in DEVICES if kind.is_wanted(wanted.get(kind.option)))
    return devices + sum(kind.slots for kind in ASPECTS if wanted.get(kind.option) is not None)


def list_needs(wanted: Wanted) -> list[Need]:
    """Return what a node must be able to do for what is wanted."""
    return [
        need
        for option, value in wanted.items()
        if value is not None and (kind := _KIND_OF.get(option)) is not None
        if isinstance(kind, Aspect) or kind.is_wanted(value)
        for need in kind.needs(value)
    ]


def compare(
    config: Wanted,
    live: Wanted | None,
    wanted: Wanted,
    running: Callable[[], Any],
    cold: Collection[str] = frozenset(),
) -> Walked:
    """Return what leads from what there is, as `read` tells it, to what is wanted.

    live: of the running guest, None when it does not run; running: its definition, which is asked for only where
    something of it may have to be changed. cold: the options of which it gets nothing before its next start, though
    it could.
    """
    # What the running guest has, and gets by acts before.
    soon = dict(live) if live is not None else None
    parts = [
        _compare_aspect(kind, config, live, soon, wanted[kind.option], running, is_cold=kind.option in cold)
        if isinstance(kind, Aspect)
        else _compare_device(kind, config, live, wanted[kind.option], running)
        for kind in _IN_TURN
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
        (".".join(path), show(field, value))
        for kind in KINDS
        if wanted.get(kind.option) is not None
        for path, field, value in iterate_rows(kind.field, wanted[kind.option], (kind.option,))
        if value is not None
    ]


def _compare_aspect(
    kind: Aspect,
    config: Wanted,
    live: Wanted | None,
    soon: dict[str, Any] | None,
    wanted: Any,
    running: Callable[[], Any],
    *,
    is_cold: bool,
) -> Walked:
    """soon: what the running guest has, and gets by acts before this one; what this one gives is added."""
    changes, drift, pending = [], [], []
    acts: list[Act] = []
    for path, field, value in iterate_rows(kind.field, wanted, (kind.option,)):
        name, was = ".".join(path), value_at(config, path)
        runs = value if live is None else was if field.is_expanded else value_at(live, path)
        found: Sequence[Act] = ()
        if soon is not None and not is_cold and not is_same(field, runs, value):
            found = kind.acts(name, value, soon, running)
        at_once: When = "hot_plug" if found and field.effect == "hot_plug" else "live"
        if not is_same(field, was, value):
            is_at_once = bool(found) or (field.effect == "live" and (live is None or is_same(field, runs, value)))
            changes.append(change_of(name, field, was, value, at_once if is_at_once else "next_boot"))
        if is_same(field, runs, value):
            continue
        if found:
            acts += found
            if soon is not None and kind.row is not None:
                soon[kind.option] = value
            drift += [change_of(name, field, runs, value, at_once)] if is_same(field, was, value) else []
        else:
            pending.append(change_of(name, field, runs, value, "next_boot"))
    return Walked(changes=tuple(changes), drift=tuple(drift), pending=tuple(pending), acts=tuple(acts))


def _compare_device(
    kind: Device, config: Wanted, live: Wanted | None, wanted: Wanted, running: Callable[[], Any]
) -> Walked:
    changed = _differences(kind, config.get(kind.option), wanted)
    if live is not None and kind.is_wanted(wanted) and not kind.is_wanted(live.get(kind.option)):
        # What the running guest lacks as a whole, it gets as it is defined.
        has = config.get(kind.option)
        wanted = merge_rows(has, wanted) if has is not None and kind.is_wanted(has) else wanted
    differing = _differences(kind, live.get(kind.option), wanted) if live is not None else []
    if not changed and not differing:
        return _AS_WANTED
    have = _device(running(), kind) if differing else None
    acts = _plug(kind, have, wanted) if differing else ()
    at_once: When = "hot_plug" if acts else "live"
    # What becomes another kind of device takes nothing before that.
    is_other = any(one.path == f"{kind.option}.{kind.switch}" for one in differing)
    taken = [one for one in differing if acts or (not is_other and kind.takes(one.path, one.was, one.value))]
    if taken and not acts:
        acts = (_update(kind, have, taken),)
    later = [one for one in differing if one not in taken]
    waiting, known = {one.path for one in later}, {one.path for one in changed}

    def when(one: _Difference) -> When:
        return at_once if one.path not in waiting and (acts or one.field.effect == "live") else "next_boot"

    return Walked(
        changes=tuple(one.told(when(one)) for one in changed),
        drift=tuple(one.told(at_once) for one in taken if one.path not in known),
        pending=tuple(one.told("next_boot") for one in later),
        acts=acts,
    )


def _plug(kind: Device, have: Any | None, wanted: Wanted) -> tuple[Act, ...]:
    """Return what gives the running guest what is wanted; nothing if it takes only a part of it."""
    if not kind.is_wanted(wanted):
        return (DetachDevice(kind.option, have),) if "detach" in kind.hot else ()
    if have is None:
        return (AttachDevice(kind.option, _make(kind, wanted, config=None)),) if "attach" in kind.hot else ()
    if {"attach", "detach"} <= kind.hot:
        fresh = copy.deepcopy(have)
        # libvirt names and places it anew.
        for name in ("alias", "address"):
            for old in fresh.findall(name):
                fresh.remove(old)
        write_field(kind.option, kind.field, fresh, wanted)
        return (DetachDevice(kind.option, have), AttachDevice(kind.option, fresh))
    return ()


def _update(kind: Device, have: Any, taken: Sequence[_Difference]) -> Act:
    """Return what gives a running device so much of what is wanted. have: as it runs."""
    changed = copy.deepcopy(have)
    for one in taken:
        if one.field.at is not None:
            one.field.at.write(changed, one.value)
    return UpdateDevice(kind.option, changed)


@dataclass(frozen=True)
class _Difference:
    """path: of a row. was, value: what there is, and what is wanted; None for nothing."""

    path: str
    field: Field
    was: Any
    value: Any

    def told(self, when: When) -> Change:
        return change_of(self.path, self.field, self.was, self.value, when)


def _differences(kind: Device, have: Wanted | None, wanted: Wanted) -> list[_Difference]:
    """have: what there is of the device, None when there is none."""
    if have is not None and not kind.is_wanted(have):
        have = None
    if not kind.is_wanted(wanted):
        switch, row = f"{kind.option}.{kind.switch}", kind.table[kind.switch]
        return [_Difference(switch, row, have.get(kind.switch), "none")] if have is not None else []
    values = wanted if have is not None else created(kind.table, wanted)
    found = {kind.option: have or {}}
    return [
        _Difference(".".join(path), field, was, value)
        for path, field, value in iterate_rows(kind.field, values, (kind.option,))
        if not is_same(field, was := value_at(found, path), value)
    ]


def _edit_device(root: Any, kind: Device, wanted: Wanted) -> None:
    devices, element = root.find("devices"), _device(root, kind)
    if element is not None and kind.is_wanted(wanted) and kind.is_wanted(read_rows(kind.table, element)):
        write_field(kind.option, kind.field, element, wanted)
        return
    if element is not None:
        if not kind.is_wanted(wanted) and not kind.is_wanted(read_rows(kind.table, element)):
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
        write_field(kind.option, kind.field, element, {kind.switch: "none"})
        return element
    for place, value in kind.fixed:
        place.write(element, value)
    write_field(kind.option, kind.field, element, created(kind.table, wanted))
    return element


def _device(root: Any, kind: Device) -> Any | None:
    devices = root.find("devices")
    if devices is None:
        return None
    return next((element for element in devices.findall(kind.tag) if kind.claims(element)), None)


def unclaimed(field: Field, path: str = "") -> Sequence[str]:
    """Return the rows that have no place or no effect: a guard holds every row of an instance to both."""
    if field.table is not None and field.at is None:
        return [name for key, inner in field.table.items() for name in unclaimed(inner, f"{path}.{key}".lstrip("."))]
    return [path] if field.at is None or field.effect is None else []
