# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does, or would do, on one screen: a line that counts, and a line for each resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# More lines than these are not read.
LONGEST = 60
_NODES = 3
_STEPS = 4
# Of what does several things to one resource the strongest counts.
_STRENGTH = ("change", "make", "destroy")
# What is noted of a resource besides, which tells a person nothing.
_UNTOLD = ("register", "register it")
# Times stand beneath each other, as far as lines are not longer.
_TIMES_AT = 80
_MARKS = {"make": "+", "change": "~", "destroy": "-"}
_WOULD = {"make": "to make", "change": "to change", "destroy": "to destroy"}
_DID = {"make": "made", "change": "changed", "destroy": "destroyed"}


@dataclass
class _Resource:
    """All that is done to one resource, wherever it is. waits: the options that wait for a restart."""

    kind: str
    name: str
    does: str = ""
    nodes: dict[str, None] = field(default_factory=dict)
    steps: dict[str, None] = field(default_factory=dict)
    waits: dict[str, None] = field(default_factory=dict)
    restarts: bool = False
    loses_data: bool = False
    failed: bool = False
    took_s: float = 0.0

    def add(self, work: Mapping[str, Any]) -> None:
        self.does = max(self.does or "change", work["does"], key=_STRENGTH.index)
        self.nodes |= {work["node"]: None} if work["node"] else {}
        self.steps |= dict.fromkeys(work["steps"])
        self.restarts |= work["restarts"]
        self.loses_data |= work["loses_data"]
        self.failed |= work["failed"]
        # Nodes are worked on side by side.
        self.took_s = max(self.took_s, work["took_s"] or 0.0)


def render_plan(
    works: Iterable[Mapping[str, Any]], pending: Iterable[Mapping[str, Any]], took_s: float | None = None
) -> list[str]:
    """Return the lines that tell a plan. works: as by `list_works`; pending: as a result has it.

    took_s: how long it took to carry it out, None for a check. Where there is nothing to do, it is one line.
    """
    resources: dict[tuple[str, str], _Resource] = {}
    for work in works:
        resources.setdefault((work["kind"], work["name"]), _Resource(work["kind"], work["name"])).add(work)
    for one in pending:
        resource = resources.setdefault((one["kind"], one["name"]), _Resource(one["kind"], one["name"]))
        resource.nodes |= {one["node"]: None} if one["node"] else {}
        resource.waits[one["option"]] = None
    told = list(resources.values())
    lines = [_count(told, took_s), *_align([(_tell(one), "" if took_s is None else _time(one)) for one in told])]
    if len(lines) > LONGEST:
        left_out = len(lines) - LONGEST + 1
        lines = [*lines[: LONGEST - 1], f"  and {left_out} more"]
    return lines


def _count(resources: Sequence[_Resource], took_s: float | None) -> str:
    """Return the line that counts."""
    is_check = took_s is None
    done = [one for one in resources if one.does]
    # What is made begins with all that it is to have.
    restarts = sum(bool(one.waits or (is_check and one.restarts and one.does == "change")) for one in resources)
    loses = sum(one.loses_data and one.does != "destroy" for one in resources)
    need = "needs" if is_check else "waits for"
    needs = "need" if is_check else "wait for"
    notes = [f"{restarts} {need if restarts == 1 else needs} a restart"] if restarts else []
    if not done:
        return "Nothing to change." + (f" {notes[0]}." if notes else "")
    notes += [f"{loses} {'loses' if loses == 1 else 'lose'} data"] if loses else []
    words = _WOULD if is_check else _DID
    counted = {does: sum(one.does == does and not one.failed for one in done) for does in words}
    text = {does: f"{counted[does]} {word}" for does, word in words.items()}
    text["change"] += f" ({', '.join(notes)})" if notes else ""
    failed = sum(one.failed for one in done)
    line = ", ".join([*text.values(), *([f"{failed} failed"] if failed else [])])
    return line if took_s is None else f"{line}, in {tell_duration(took_s)}"


def _tell(resource: _Resource) -> str:
    """Return the line of one resource, without a time."""
    nodes = list(resource.nodes)
    place = f" on {', '.join(nodes)}" if 0 < len(nodes) <= _NODES else f" on {len(nodes)} nodes" if nodes else ""
    told = [step for step in resource.steps if step not in _UNTOLD] or list(resource.steps)
    if len(told) > _STEPS:
        told = [*told[:_STEPS], f"and {len(told) - _STEPS} more"]
    told += [f"{option} waits for a restart" for option in resource.waits]
    told += ["loses data"] if resource.loses_data and resource.does != "destroy" else []
    mark = "!" if resource.failed else _MARKS.get(resource.does, "*")
    return f"  {mark} {resource.kind.replace('_', ' ')} {resource.name}{place}: {', '.join(told)}"


def _time(resource: _Resource) -> str:
    """Return how long it took, in place of which a failure stands; nothing where nothing was done."""
    return "failed" if resource.failed else tell_duration(resource.took_s) if resource.does else ""


def _align(told: Sequence[tuple[str, str]]) -> list[str]:
    """Return lines with their times beneath each other."""
    left = max((len(line) for line, _ in told if len(line) <= _TIMES_AT), default=0)
    right = max((len(time) for _, time in told), default=0)
    return [f"{line:<{left}}   {time:>{right}}" if time else line for line, time in told]


def tell_duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = whole // 60
    return f"{minutes} min {whole % 60} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
