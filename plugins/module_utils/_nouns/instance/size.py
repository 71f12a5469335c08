# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory and how many virtual CPUs a domain has: reading, and editing what hangs together with them."""

from __future__ import annotations

from typing import Any

from .places import CpuSet

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


# Over which a container's share of its node's processors is counted.
PERIOD_US = 100_000


def parse_limit(root: Any) -> int | None:
    """Return what a container's memory is limited to beside its definition's size, in MiB; None if it is not."""
    limit = root.find("memtune/hard_limit") if root.get("type") == "lxc" else None
    return parse_memory(limit) if limit is not None else None


def parse_memory(element: Any | None) -> int:
    """Return MiB, rounded down."""
    return _bytes_of(element) // 2**20


def parse_memory_of_cell(cell: Any) -> int:
    """Return the MiB of a NUMA cell, rounded down."""
    return int(cell.get("memory", "0")) * _BYTES[cell.get("unit", "KiB")] // 2**20


def parse_vcpus(root: Any) -> int:
    """Return how many virtual CPUs there are at the start; there may be room for more."""
    quota = root.findtext("cputune/quota") if root.get("type") == "lxc" else None
    if quota is not None:
        # A container's are its share of its node's; libvirt itself makes nothing of its number.
        return max(int(quota) // PERIOD_US, 0)
    element = root.find("vcpu")
    if element is None:
        return 1
    return int(element.get("current") or element.text or "1")


def parse_vcpus_max(root: Any) -> int:
    """Return how many virtual CPUs there can be while it runs."""
    element = root.find("vcpu")
    return int(element.text or "1") if element is not None else 1


def has_room(root: Any) -> bool:
    """Tell whether a definition has room for the virtual CPUs that it has."""
    return root.find("vcpu") is None or parse_vcpus(root) <= parse_vcpus_max(root)


def write_vcpus_max(root: Any, most: int) -> None:
    """Set how many virtual CPUs there can be; as many as there were are there at the start, see `has_room`."""
    vcpus, element = parse_vcpus(root), root.find("vcpu")
    if element is None:
        element = root.makeelement("vcpu", {})
        root.append(element)
    element.text = str(most)
    element.attrib.pop("current", None)
    if vcpus != most:
        element.set("current", str(vcpus))
    each = root.find("vcpus")
    if each is not None:
        for one in each.findall("vcpu"):
            if int(one.get("id", "0")) >= most:
                each.remove(one)
    _fill_cell(root)


def parse_pages(root: Any) -> int:
    """Return the size of the huge pages in MiB; 0 for none."""
    backing = root.find("memoryBacking")
    pages = backing.find("hugepages") if backing is not None else None
    if pages is None:
        return 0
    sizes = {_page_kib(page) for page in pages.findall("page")}
    # Several sizes, or the host's default, written by hand: told from every size that can be wanted.
    return max(sizes) // 1024 if len(sizes) == 1 else -1


def write_pages(root: Any, size: int | None) -> None:
    """Set the size of the huge pages, in MiB; 0 is none."""
    backing = root.find("memoryBacking")
    if backing is not None:
        for old in backing.findall("hugepages"):
            backing.remove(old)
    if size:
        if backing is None:
            backing = root.makeelement("memoryBacking", {})
            root.append(backing)
        pages = backing.makeelement("hugepages", {})
        pages.append(pages.makeelement("page", {"size": str(size * 1024), "unit": "KiB"}))
        backing.append(pages)
    elif backing is not None and not len(backing):
        root.remove(backing)


def _page_kib(page: Any) -> int:
    return int(page.get("size", "0")) * _BYTES[page.get("unit", "KiB")] // 1024


def memory_of_guest(memory: int, held_back: int) -> int | str:
    """Return what a guest gets; a text, which is no size that can be wanted, where that is not all."""
    return f"{memory - held_back} of {memory}" if held_back else memory


def find_obstacle(root: Any, memory: int, after: Any) -> tuple[str, str] | None:
    """Return why a definition cannot be given this memory (MiB), and what to do; None if it can.

    after: what it would become. What is divided has to be divided anew with it.
    """
    cells, divided = (one.findall("cpu/numa/cell") for one in (root, after))
    has = parse_memory(root.find("memory"))
    if memory != has and len(cells) > 1 and [one.attrib for one in cells] == [one.attrib for one in divided]:
        return (
            f"its definition divides its memory of {has} MiB among {len(cells)} NUMA cells",
            f"Give the cells {memory} MiB together (numa), or declare {has} MiB.",
        )
    if not divided:
        return None
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
    tune = root.find("memtune") if root.get("type") == "lxc" else None
    if tune is not None:
        root.remove(tune)  # written by hand; it would count for more
    for tag in ("memory", "currentMemory"):
        found = root.find(tag)
        if found is None:
            found = root.makeelement(tag, {})
            root.append(found)
        found.text = str(memory)
        found.set("unit", "MiB")


def write_vcpus(root: Any, vcpus: int) -> None:
    """Set how many virtual CPUs there are at the start. The room for more stays where anything hangs on it.

    More than there is room for is written as it is, for `has_room` to tell.
    """
    element = root.find("vcpu")
    if element is None:
        element = root.makeelement("vcpu", {})
        root.append(element)
    room = int(element.text or "1")
    has_more = element.get("current") is not None
    hangs_on_it = any(
        root.find(path) is not None
        for path in ("cpu/topology", "cpu/numa", "vcpus", "cputune/vcpupin", "cputune/vcpusched")
    )
    if has_more or (vcpus < room and hangs_on_it):
        element.attrib.pop("current", None)
        if vcpus != room:
            element.set("current", str(vcpus))
    else:
        element.text = str(vcpus)
    _fill_cell(root)
    each = root.find("vcpus")
    if each is not None:
        _enable(each, vcpus)
    if root.get("type") == "lxc":
        _write_share(root, vcpus)


def _write_share(root: Any, vcpus: int) -> None:
    tune = root.find("cputune")
    if tune is None:
        tune = root.makeelement("cputune", {})
        root.append(tune)
    for tag, number in (("period", PERIOD_US), ("quota", vcpus * PERIOD_US)):
        found = tune.find(tag)
        if found is None:
            found = tune.makeelement(tag, {})
            tune.append(found)
        found.text = str(number)


def _fill_cell(root: Any) -> None:
    """The only NUMA cell has all virtual CPUs that there can be."""
    cells = root.findall("cpu/numa/cell")
    if len(cells) == 1 and cells[0].get("cpus") is not None:
        CpuSet("", "cpus").write(cells[0], range(parse_vcpus_max(root)))


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
