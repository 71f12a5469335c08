# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line at the bottom of the screen: which stage a run is in, how far that is, and what is waited for."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import printable
from ansible_collections.pextra.cloud.plugins.module_utils._run_plan import tell_duration

_BAR = 20
# On a narrower screen the words need the room of the bar.
_BAR_FROM = 60
_HOSTS = 3
_NARROWEST = 20
_CUT = "..."
_NUMBER = re.compile(r"([0-9]+)")


@dataclass
class Status:
    """How far a run is. Of tasks only those are counted that are known before they are reached.

    wait: what a module says of its long work; done and total are then those of that work.
    """

    stage: str = ""
    number: int = 0
    stages: int = 0
    task: str = ""
    tasks_begun: int = 0
    tasks: int = 0
    hosts: dict[str, None] = field(default_factory=dict)
    retry: str = ""
    wait: str = ""
    done: int = 0
    total: int = 0
    begun_at: float = 0.0


def render_status(status: Status, width: int, now: float) -> str:
    """Return the line, at most so many cells wide. now: on the clock of begun_at, which is when the task began."""
    head = f"[{status.number}/{status.stages}] {status.stage}" if status.stages else status.stage
    elapsed_s = int(now - status.begun_at)
    tail = _tell_elapsed(elapsed_s) if status.task and elapsed_s >= 1 else ""
    bar = render_bar(*_fraction(status)) if width >= _BAR_FROM else ""
    begin = " ".join(part for part in (head, bar) if part)
    # What is cut is what is waited for: the stage, the bar and the time stay.
    left = width - count_cells(begin) - (count_cells(tail) + 1 if tail else 0) - 1
    told = [printable(what) for what in _tell_wait(status)]
    # A host's name that is cut in the middle says less than how many there are.
    fitting = next((what for what in told if count_cells(what) <= left), cut(told[-1], left))
    parts = [begin, fitting if left > len(_CUT) else "", tail]
    return cut(printable(" ".join(part for part in parts if part)), width)


def _tell_wait(status: Status) -> list[str]:
    """Return what is waited for, in ever fewer words."""
    retry = f", {status.retry}" if status.retry else ""
    if status.wait or not status.hosts:
        return [(status.wait or status.task) + retry]
    hosts = list(status.hosts)
    count = "1 host" if len(hosts) == 1 else f"{len(hosts)} hosts"
    return [f"{status.task}{told}{retry}" for told in (f": {name_some(hosts)}", f": {count}", "")]


def _tell_elapsed(seconds: int) -> str:
    return f"{seconds} s" if seconds < 60 else tell_duration(seconds)


def _fraction(status: Status) -> tuple[int, int]:
    if status.wait and status.total:
        return status.done, status.total
    # The task that is begun is not done.
    return max(0, status.tasks_begun - 1), status.tasks


def sort_names(names: Iterable[str]) -> list[str]:
    """Return names in the order in which people count: node2 before node10."""
    return sorted(names, key=lambda name: [int(one) if one.isdecimal() else one for one in _NUMBER.split(name)])


def name_some(names: Sequence[str]) -> str:
    """Return names as people list them; of many the first ones, and how many more there are."""
    # One more is named in the room of "and 1 more".
    if len(names) <= _HOSTS + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_HOSTS])} and {len(names) - _HOSTS} more"


def render_bar(done: int, total: int) -> str:
    """Return a bar, full only when all is done; nothing where it is not known how much there is."""
    if total <= 0:
        return ""
    full = min(_BAR, _BAR * max(0, done) // total)
    return f"[{'#' * full}{'-' * (_BAR - full)}]"


def cut(text: str, width: int) -> str:
    """Return as much of a text as fits into so many cells, with dots where it is cut."""
    if count_cells(text) <= width:
        return text
    kept = ""
    for char in text:
        if count_cells(kept + char) > width - len(_CUT):
            break
        kept += char
    return (kept + _CUT)[: max(0, width)] if width > len(_CUT) else _CUT[: max(0, width)]


def wrap(line: str, width: int | None) -> list[str]:
    """Return a line as several, none wider than so many cells, broken between words; all but the first are deeper."""
    if width is None or count_cells(line) <= width:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    parts = textwrap.wrap(
        line.strip(),
        # Where there is no room for both, the words need it.
        max(width, len(indent) + _NARROWEST),
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return parts or [line]


def count_cells(text: str) -> int:
    """Return how many cells of a terminal a text takes: some characters take two, marks on others none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
