# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that a running guest gets and gives back, up to what there can be (virtio-mem): reading, and editing what
hangs together with it. Sizes are MiB.

`<maxMemory>` is what there can be. The only NUMA cell is what the guest begins with, and one device is the rest, of
which the guest is asked to use a part. `<memory>` counts the whole device, used or not. While there is nothing to plug,
because all is in use, there is no device, and `<maxMemory>` is one step more: QEMU takes no room that is none.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

from .places import CpuSet
from .size import find_obstacle, parse_limit, parse_memory, parse_pages, parse_vcpus_max, write_memory

# What Linux adds and gives back as a whole, on x86 (the memory block; larger in guests of 64 GiB and more).
STEP = 128
# What QEMU plugs at once, with pages of the usual size.
_BLOCK = 2


class Plugged(NamedTuple):
    """least: what the guest began with, or will begin with; asked: how much it is to have in all; has: how much it
    takes of its node, which is more while it has not given back what it is asked for; most: how much it can have.
    """

    least: int
    asked: int
    has: int
    most: int


def find_device(root: Any) -> Any | None:
    """Return the device; None where there is none, or where memory was divided by hand."""
    devices = root.find("devices")
    found = devices.findall("memory") if devices is not None else []
    if len(found) != 1 or found[0].get("model") != "virtio-mem" or len(root.findall("cpu/numa/cell")) != 1:
        return None
    return found[0]


def find_plugged(root: Any) -> Plugged | None:
    """Return what there is of memory that is plugged; None without the device."""
    device = find_device(root)
    if device is None:
        return None
    size, asked, now = (parse_memory(device.find(f"target/{name}")) for name in ("size", "requested", "current"))
    most = parse_memory(root.find("memory"))
    least = most - size
    return Plugged(least, least + asked, least + max(asked, now), most)


def memory_of(root: Any) -> int:
    """Return how much memory a guest takes, or is to take, of its node. A container has what it is limited to."""
    limit = parse_limit(root)
    if limit is not None:
        return limit
    plugged = find_plugged(root)
    return plugged.has if plugged is not None else parse_memory(root.find("memory"))


def parse_held_back(root: Any) -> int:
    """Return how much a definition keeps from the guest. While it runs that is the balloon's affair."""
    current = root.find("currentMemory")
    if current is None or root.get("id") is not None:
        return 0
    return memory_of(root) - parse_memory(current)


def parse_most(root: Any) -> int:
    """Return how much memory there can be."""
    room = root.find("maxMemory")
    if room is not None and (_is_divided(root) or find_device(root) is not None):
        return parse_memory(room)
    return memory_of(root)


def write_memory_of(root: Any, memory: int) -> None:
    """Set the memory. More than there is room for is written as it is, for `find_refusal` to tell."""
    if find_device(root) is not None or _is_full(root):
        _divide(root, memory, parse_most(root))
    else:
        write_memory(root, memory)


def write_most(root: Any, most: int) -> None:
    """Set how much there can be. Where memory was divided by hand nothing comes of it, see `find_refusal`."""
    if _is_divided(root):
        _set(root, "maxMemory", most)
    else:
        _divide(root, memory_of(root), most)


def drop_room(root: Any) -> None:
    """Take away room that is none: as much as there is memory. It would be in the way of other NUMA cells."""
    room = root.find("maxMemory")
    if room is not None and root.find("devices/memory") is None and parse_most(root) == memory_of(root):
        root.remove(room)


def settle(root: Any) -> None:
    """Divide the memory anew, after its pages have got another size."""
    if find_device(root) is not None:
        _divide(root, memory_of(root), parse_most(root))


def ask_for(root: Any, memory: int) -> Any | None:
    """Return the device of a running guest with another request, for it to have so much in all; None where only its
    next start can give it, or where it is asked for it already.
    """
    device, plugged = find_device(root), find_plugged(root)
    if device is None or plugged is None or memory == plugged.asked or not plugged.least <= memory <= plugged.most:
        return None
    if (memory - plugged.least) % max(1, parse_memory(device.find("target/block"))):
        return None
    changed = copy.deepcopy(device)
    _set(changed.find("target"), "requested", memory - plugged.least)
    return changed


def find_refusal(after: Any, before: Any) -> tuple[str, str] | None:
    """Return why a definition cannot be given the memory that it would have, and what to do; None if it can."""
    memory, most = memory_of(after), parse_most(after)
    if find_device(before) is None and (obstacle := find_obstacle(before, memory, after)) is not None:
        return obstacle
    if _is_divided(after):
        # The room goes along with memory that was put into modules by hand.
        if most not in (memory, parse_most(before)):
            what = "its definition divides its memory among NUMA cells or modules (DIMM), so none can be plugged"
            return what, "Leave out memory_max, or take them away (virsh edit)."
        return None
    if memory > most:
        what = f"it can have {most} MiB of memory, and is to have {memory} MiB"
        return what, f"Set memory_max: {memory} MiB as well, or at most {most} MiB of memory."
    if find_device(after) is None:
        return None
    uneven = find_uneven(memory, most, parse_pages(after))
    if uneven is not None:
        return f"it is to have {memory} MiB of memory, and can have {most} MiB", uneven
    if after.find("memoryBacking/locked") is not None:
        what = "its memory is locked (memory_backing.locked), and QEMU plugs none then"
        return what, "Leave out memory_max, or declare it as much as memory."
    return None


def find_uneven(memory: int, most: int, pages: int) -> str | None:
    """Return what memory with room for more has to be; None if it is so. pages: the size of huge pages, 0 for none."""
    block, step = max(_BLOCK, pages), max(STEP, pages)
    if memory >= step and not memory % block and not most % step:
        return None
    least = f"memory is {step} MiB at least and a multiple of {block} MiB"
    return f"With room for more, {least}, and memory_max a multiple of {step} MiB."


def _is_divided(root: Any) -> bool:
    """Tell whether memory is divided otherwise than here."""
    devices = root.find("devices")
    has_modules = devices is not None and devices.find("memory") is not None and find_device(root) is None
    return has_modules or len(root.findall("cpu/numa/cell")) > 1


def _is_full(root: Any) -> bool:
    """Tell whether there is room for memory, and all of it is in use."""
    room = root.find("maxMemory")
    return room is not None and not _is_divided(root) and parse_memory(room) == memory_of(root) + STEP


def _divide(root: Any, memory: int, most: int) -> None:
    """What a guest begins with is as much as it is to have, as far as Linux can plug the rest: so its next start gives
    it what a guest without a driver never took.
    """
    device, cell = find_device(root), root.find("cpu/numa/cell")
    if cell is None:
        numa = _child(_child(root, "cpu"), "numa")
        cell = numa.makeelement("cell", {"id": "0"})
        numa.append(cell)
    room = _set(root, "maxMemory", most + STEP if most == memory else most)
    room.set("slots", room.get("slots") or "1")
    if most == memory:
        if device is not None:
            root.find("devices").remove(device)
        _set_cell(root, cell, memory)
        _set_totals(root, memory, memory)
        return
    step = max(STEP, parse_pages(root))
    least = min(memory // step * step or memory, most)
    _set_cell(root, cell, least)
    if device is None:
        devices = _child(root, "devices")
        device = devices.makeelement("memory", {"model": "virtio-mem"})
        devices.append(device)
    target = _child(device, "target")
    _set(target, "size", most - least)
    _child(target, "node").text = cell.get("id", "0")
    _set(target, "block", max(_BLOCK, parse_pages(root)))
    _set(target, "requested", memory - least)
    _set_totals(root, most, memory)


def _set_cell(root: Any, cell: Any, memory: int) -> None:
    CpuSet("", "cpus").write(cell, range(parse_vcpus_max(root)))
    cell.set("memory", str(memory * 1024))
    cell.set("unit", "KiB")


def _set_totals(root: Any, total: int, now: int) -> None:
    _set(root, "memory", total)
    _set(root, "currentMemory", now)


def _set(parent: Any, tag: str, size: int) -> Any:
    element = _child(parent, tag)
    element.text = str(size * 1024)
    element.set("unit", "KiB")
    return element


def _child(parent: Any, tag: str) -> Any:
    found = parent.find(tag)
    if found is None:
        found = parent.makeelement(tag, {})
        parent.append(found)
    return found
