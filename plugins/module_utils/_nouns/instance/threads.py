# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads that work for disks: what disks, and the pins of threads, have to agree on with them. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from .places import CpuSet, Text

# Of one instance: more are of no use than its node has processors for.
MAX_THREADS = 64


_COUNT = Text("iothreads", "int")
_SET = CpuSet("", "cpuset")


class Pins:
    """The processors that all of these threads run on. Pins that a hand made differently, or not for each, are told as
    text: they are no value that there can be, and stay until another is declared.
    """

    def read(self, root: Any) -> Any:
        tune = root.find("cputune")
        pins = tune.findall("iothreadpin") if tune is not None else []
        if not pins:
            return None
        found = {pin.get("iothread"): _SET.read(pin) for pin in pins}
        sets = {one if one is None else frozenset(one) for one in found.values()}
        if len(sets) <= 1 and len(found) == len(pins) and found.keys() == _number(root):
            return next(iter(found.values()))
        return "; ".join(f"{pin.get('iothread')}: {pin.get('cpuset')}" for pin in pins)

    def write(self, root: Any, value: Any) -> None:
        tune, numbers = root.find("cputune"), _number(root) if value else set()
        for pin in root.findall("cputune/iothreadpin"):
            if pin.get("iothread") not in numbers:
                tune.remove(pin)
                continue
            numbers.remove(pin.get("iothread"))
            if set(_SET.read(pin) or ()) != set(value):
                _SET.write(pin, value)
        if numbers and tune is None:
            tune = root.makeelement("cputune", {})
            root.append(tune)
        for number in sorted(numbers, key=int):
            pin = root.makeelement("iothreadpin", {"iothread": number})
            _SET.write(pin, value)
            tune.append(pin)
        # As Attribute leaves it, nothing empty stays.
        if tune is not None and not len(tune) and not tune.attrib:
            root.remove(tune)


def write_count(root: Any, value: Any) -> None:
    """Give a definition another number of threads; 0 is none, which libvirt does not write down. Numbers that a hand
    gave to each go with another count, and pins that are the same for all follow it.
    """
    pinned = Pins().read(root)
    _COUNT.write(root, value or None)
    for old in root.findall("iothreadids"):
        root.remove(old)
    if pinned is not None and not isinstance(pinned, str):
        Pins().write(root, pinned if value else None)


def read_count(root: Any) -> Any:
    return _COUNT.read(root) or 0


def _number(root: Any) -> set[str]:
    """Return the numbers of its threads, as libvirt gives them: those that are written down, and the lowest others.

    Where there are none, that of the first that there could be: plans refuse pins without threads, and say why.
    """
    count, given = _COUNT.read(root), {one.get("id", "") for one in root.iterfind("iothreadids/iothread")}
    others = (str(number) for number in itertools.count(1) if str(number) not in given)
    more = max(0, count - len(given)) if isinstance(count, int) else 0
    return {*given, *itertools.islice(others, more)} or {"1"}


def find_highest(disks: Iterable[Mapping[str, Any]]) -> int:
    """Return the highest number of a thread that disks name; 0 for none."""
    return max((disk.get("io_thread") or 0 for disk in disks), default=0)
