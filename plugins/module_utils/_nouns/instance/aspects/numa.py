# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How virtual CPUs and memory are divided among NUMA cells (libvirt: Domain XML, guest NUMA topology and NUMA node
tuning).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...._fields.field import Field
from ..kinds import Aspect, Need, Refusal
from ..memory_room import drop_room, memory_of
from ..places import CpuSet, Presence
from ..size import parse_memory_of_cell, parse_vcpus_max

_CPUS = CpuSet("", "cpus")


class _Cells:
    """In the order of their numbers. The only cell of a guest with room for memory is that room's, and not told."""

    def read(self, root: Any) -> tuple[dict[str, Any], ...] | None:
        cpu = root.find("cpu")
        numa = cpu.find("numa") if cpu is not None else None
        cells = numa.findall("cell") if numa is not None else []
        if not cells or (len(cells) == 1 and root.find("maxMemory") is not None):
            return None
        nodes = {one.get("cellid"): one.get("nodeset") for one in root.findall("numatune/memnode")}
        found = []
        for cell in sorted(cells, key=lambda one: int(one.get("id", "0"))):
            node = nodes.get(cell.get("id", "0"))
            found.append(
                {
                    "vcpus": _CPUS.read(cell) or (),
                    "memory": parse_memory_of_cell(cell),
                    "node": int(node) if node is not None and node.isdecimal() else node,
                }
            )
        return tuple(found)

    def write(self, root: Any, value: Any) -> None:
        known = {cell.get("id", "0"): cell for cell in root.findall("cpu/numa/cell")}
        tied = {one.get("cellid", ""): one for one in root.findall("numatune/memnode")}
        Presence("cpu/numa").write(root, None)
        Presence("numatune/memnode").write(root, None)
        if value:
            drop_room(root)
            numa = _add(_child(root, "cpu"), "numa", {})
        for number, cell in enumerate(value or ()):
            # What else a hand has said of it stays.
            element = known.get(str(number))
            if element is None:
                element = numa.makeelement("cell", {"id": str(number)})
            numa.append(element)
            element.set("memory", str(cell["memory"] * 1024))
            element.set("unit", "KiB")
            _CPUS.write(element, cell["vcpus"])
            if cell.get("node") is not None:
                of = {"cellid": str(number), "mode": "strict", "nodeset": str(cell["node"])}
                same, tune = tied.get(str(number)), _child(root, "numatune")
                if same is not None and same.get("nodeset") == of["nodeset"]:
                    tune.append(same)
                else:
                    _add(tune, "memnode", of)
        tune = root.find("numatune")
        if tune is not None and not len(tune) and not tune.attrib:
            root.remove(tune)


def _child(parent: Any, tag: str) -> Any:
    found = parent.find(tag)
    return found if found is not None else _add(parent, tag, {})


def _add(parent: Any, tag: str, attributes: Mapping[str, str]) -> Any:
    element = parent.makeelement(tag, dict(attributes))
    parent.append(element)
    return element


_PLACE = _Cells()


def _find_gap(cells: Iterable[Mapping[str, Any]], vcpus: int | None, memory: int | None) -> tuple[str, str] | None:
    """Return what does not add up, and what to do; None for nothing. What is not known is not looked at."""
    cells = list(cells)
    said = [number for cell in cells for number in cell["vcpus"]]
    twice = sorted({number for number in said if said.count(number) > 1})
    if twice:
        return f"virtual CPU {twice[0]} is in two cells", "Put each into one."
    if vcpus is not None and set(said) != set(range(vcpus)):
        held = ", ".join(map(str, sorted(said))) or "none"
        what = f"its cells hold the virtual CPUs {held}, and it can have {vcpus}"
        return what, f"Divide 0 to {vcpus - 1} among them."
    total = sum(cell["memory"] for cell in cells)
    if memory is not None and total != memory:
        what = f"its cells have {total} MiB together, and it is to have {memory} MiB"
        return what, f"Divide {memory} MiB among them, or set memory: {total} MiB."
    return None


def _refuse(after: Any, before: Any) -> Sequence[Refusal]:
    """Only what is divided anew, or among cells that stay."""
    cells, had = _PLACE.read(after), _PLACE.read(before)
    if cells is None or (cells == had and parse_vcpus_max(after) == parse_vcpus_max(before)):
        return ()
    is_divided_anew = [cell["memory"] for cell in cells] != [cell["memory"] for cell in had or ()]
    if is_divided_anew and after.find("maxMemory") is not None:
        what = "it has room for more memory (memory_max), which only a guest of one cell can have"
        remedy = "Set memory_max to as much as memory as well, and take away modules (DIMM) first, or leave numa out."
        return (Refusal("numa", what, remedy),)
    gap = _find_gap(cells, parse_vcpus_max(after), memory_of(after) if is_divided_anew else None)
    return (Refusal("numa", *gap),) if gap is not None else ()


def _find_mistakes(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    cells, memory, most = values.get("numa"), values.get("memory"), values.get("memory_max")
    if not cells:
        return ()
    if most is not None and most != memory:
        what = "cannot be together with memory_max, for which a guest has one cell; leave out one of them"
        return (("numa", what),)
    vcpus = values.get("vcpus_max") if values.get("vcpus_max") is not None else values.get("vcpus")
    gap = _find_gap(cells, vcpus, memory)
    return (("numa", f"{gap[0]}. {gap[1]}"),) if gap is not None else ()


def _needs(values: Any) -> Sequence[Need]:
    nodes = sorted({cell["node"] for cell in values if cell.get("node") is not None})
    return [Need(f"numa-node:{node}", f"no NUMA node {node}") for node in nodes]


_CELL = {
    "vcpus": Field(
        kind="list",
        element=Field(kind="int", minimum=0, maximum=511, help="The number of a virtual CPU."),
        unique=True,
        required=True,
        compare="set",
        help="The numbers of its virtual CPUs, from 0 on. Each that there can be is in one cell.",
    ),
    "memory": Field(
        kind="size",
        required=True,
        minimum=1,
        maximum=16 * 1024**2,
        help="Its memory. All cells have O(memory) together.",
    ),
    "node": Field(
        kind="int",
        minimum=0,
        maximum=127,
        help="The NUMA node of its host that its memory is taken from, and from no other; the instance can only be "
        "where there is one of this number. From any unless given. Its virtual CPUs stay near by O(pinning).",
    ),
}

ASPECT = Aspect(
    option="numa",
    row=Field(
        kind="list",
        element=Field(kind="dict", table=_CELL, help="A cell."),
        at=_PLACE,
        effect="next_boot",
        help="The NUMA cells that its virtual CPUs and its memory are divided among, numbered from 0 in this order. "
        "Not together with O(memory_max). An empty list is no cells.",
    ),
    refuse=_refuse,
    find_mistakes=_find_mistakes,
    needs=_needs,
)
