# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory and how many virtual CPUs a domain has: reading, and editing what hangs together with them."""

from __future__ import annotations

from typing import Any

_BYTES = {
    "b": 1,
    "bytes": 1,
    "KB": 10**3,
    "k": 2**10,
    "KiB": 2**10,
    "MB": 10**6,
    "M": 2**20,
    "MiB": 2**20,
    "GB": 10**9,
    "G": 2**30,
    "GiB": 2**30,
    "TB": 10**12,
    "T": 2**40,
    "TiB": 2**40,
}


def parse_memory(element: Any | None) -> int:
    """Return MiB, rounded down."""
    return _bytes_of(element) // 2**20


def parse_vcpus(root: Any) -> int:
    """Return how many virtual CPUs there are at the start; there may be room for more."""
    element = root.find("vcpu")
    if element is None:
        return 1
    return int(element.get("current") or element.text or "1")


def parse_held_back(root: Any) -> int:
    """Return how many MiB a definition keeps from the guest. While it runs that is the balloon's affair."""
    current = root.find("currentMemory")
    if current is None or root.get("id") is not None:
        return 0
    return parse_memory(root.find("memory")) - parse_memory(current)


def memory_of_guest(memory: int, held_back: int) -> int | str:
    """Return what a guest gets; a text, which is no size that can be wanted, where that is not all."""
    return f"{memory - held_back} of {memory}" if held_back else memory


def find_obstacle(root: Any, memory: int) -> tuple[str, str] | None:
    """Return why a definition cannot be given this memory (MiB), and what to do; None if it can.

    What was divided by hand can only be divided anew by hand.
    """
    cells = root.findall("cpu/numa/cell")
    has = parse_memory(root.find("memory"))
    if memory != has and len(cells) > 1:
        return (
            f"its definition divides its memory of {has} MiB among {len(cells)} NUMA cells",
            f"Give the cells {memory} MiB together (virsh edit), or declare {has} MiB.",
        )
    if memory != has and cells and _cell_kib(root, cells[0], memory) <= 0:
        return (
            f"its definition has more memory in modules (DIMM) than the {memory} MiB that it shall have",
            "Take modules away first (virsh edit), or declare more memory.",
        )
    return None


def write_memory(root: Any, memory: int) -> None:
    """Set the memory, in MiB; a NUMA cell and the room for more go along."""
    cells = root.findall("cpu/numa/cell")
    if len(cells) == 1:
        cells[0].set("memory", str(_cell_kib(root, cells[0], memory)))
        cells[0].set("unit", "KiB")
    room = root.find("maxMemory")
    if room is not None and _bytes_of(room) < memory * 2**20:
        room.text = str(memory)
        room.set("unit", "MiB")
    for tag in ("memory", "currentMemory"):
        found = root.find(tag)
        if found is None:
            found = root.makeelement(tag, {})
            root.append(found)
        found.text = str(memory)
        found.set("unit", "MiB")


def write_vcpus(root: Any, vcpus: int) -> None:
    """Set how many virtual CPUs there are at the start. The room for more stays where anything hangs on it."""
    element = root.find("vcpu")
    if element is None:
        element = root.makeelement("vcpu", {})
        root.append(element)
    room = int(element.text or "1")
    is_kept = element.get("current") is not None or any(
        root.find(path) is not None
        for path in ("cpu/topology", "cpu/numa", "vcpus", "cputune/vcpupin", "cputune/vcpusched")
    )
    if vcpus < room and is_kept:
        element.set("current", str(vcpus))
    else:
        element.text = str(vcpus)
        element.attrib.pop("current", None)
    each = root.find("vcpus")
    if each is not None:
        _enable(each, vcpus)


def _enable(each: Any, vcpus: int) -> None:
    """Let as many be enabled as there are. The order of plugging would have gaps."""
    listed = {int(one.get("id", "0")): one for one in each.findall("vcpu")}
    for number in sorted({*listed, *range(vcpus)}):
        one = listed.get(number)
        if one is None:
            one = each.makeelement("vcpu", {"id": str(number), "hotpluggable": "no"})
            each.append(one)
        is_enabled = number < vcpus
        one.set("enabled", "yes" if is_enabled else "no")
        one.attrib.pop("order", None)
        if not is_enabled:
            one.set("hotpluggable", "yes")


def _cell_kib(root: Any, cell: Any, memory: int) -> int:
    """Return what the only cell gets: all that is not in modules."""
    has = _bytes_of(root.find("memory"))
    inside = int(cell.get("memory", "0")) * _BYTES[cell.get("unit", "KiB")]
    return (inside + memory * 2**20 - has) // 2**10


def _bytes_of(element: Any | None) -> int:
    if element is None or element.text is None:
        return 0
    return int(element.text) * _BYTES[element.get("unit", "KiB")]
