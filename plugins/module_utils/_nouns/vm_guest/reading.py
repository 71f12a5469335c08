# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What guests' agents say of their guests, asked side by side."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from ..._cloud import Cloud
from ..._model.errors import PextraError
from ..._model.ids import uuid_of
from ..._model.rows import Row
from ..instance.finding import read_whereabouts
from ..instance.plan.context import FailedError, RefusedError
from ..instance.whereabouts import Whereabouts, locate, refusal_of
from .answers import tell_facts

# Most of them wait; the door lets only some of a node's guests be asked at once.
THREADS = 64
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class GuestsHave:
    """told: what each guest says, or why it says nothing, by the instance's identifier."""

    where: Whereabouts
    rows: Sequence[Row]
    told: Mapping[str, dict[str, Any]]


def ask_guests(cloud: Cloud, names: Sequence[str] | None) -> GuestsHave:
    """Ask the guests of instances, by names or identifiers; None: all that are registered."""
    where = read_whereabouts(cloud, names)
    rows = [
        row
        for row in where.hierarchy.members
        if row.kind == "instance" and (names is None or row.name in names or row.id in names)
    ]
    with ThreadPoolExecutor(max_workers=THREADS) as threads:
        told = list(threads.map(lambda row: _ask(cloud, row, where), rows))
    return GuestsHave(where, rows, {row.id: one for row, one in zip(rows, told, strict=True)})


def _ask(cloud: Cloud, row: Row, where: Whereabouts) -> dict[str, Any]:
    try:
        seen = locate(row, where)
        if seen.state != "running":
            raise refusal_of(seen.state)
        facts = wait_for(cloud.hypervisor(seen.node).read_guest(uuid_of(row.id), f"instance {row.name}"))
    except RefusedError as refused:
        return _silent(refused.what)
    except FailedError as error:
        return _silent(str(error.problem))
    except PextraError as error:
        return _silent(str(error.problems[0]))
    return {"answers": True, "why": None, **tell_facts(*facts)}


def _silent(why: str) -> dict[str, Any]:
    return {"answers": False, "why": why, **tell_facts(None, None, None, None)}


def wait_for(asking: Generator[float, None, Answer]) -> Answer:
    """Wait for a guest as long as its door does, in a thread of its own."""
    pause = threading.Event()
    while True:
        try:
            pause.wait(next(asking))
        except StopIteration as end:
            answer: Answer = end.value
            return answer
