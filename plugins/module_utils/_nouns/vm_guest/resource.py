# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done in guests by their agents, as the engine sees it. An act: each call does it anew."""

from __future__ import annotations

import base64
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from ..._cloud import Cloud
from ..._doors.libvirt.hypervisor import Hypervisor
from ..._engine.noun import Options
from ..._model.errors import HypervisorError, Problem
from ..._model.ids import uuid_of
from ..._model.mistake import Mistake
from ..._model.plan import Plan, Step, Work
from ..instance.finding import read_whereabouts
from ..instance.whereabouts import Whereabouts, describe_whereabouts
from .answers import AnswerError, Outcome, read_outcome, read_pid
from .plan import Act, Run, SetPassword, SetTime, plan_guest_acts
from .reading import GuestsHave, ask_guests
from .spec import FIELDS, GuestAct, parse_guest_act

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0


class GuestResource:
    noun = "vm"
    plural = "vms"
    table = FIELDS

    def __init__(self) -> None:
        # What this call has done, by the instance's identifier; how a program ended.
        self._done: set[str] = set()
        self._outcomes: dict[str, Outcome] = {}

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[GuestAct | None, list[Mistake]]:
        return parse_guest_act(raw, path)

    def read(self, cloud: Cloud, wants: Sequence[GuestAct], options: Options) -> Whereabouts:
        return read_whereabouts(cloud, [want.name for want in wants])

    def plan(self, wants: Sequence[GuestAct], have: Whereabouts, options: Options) -> Plan:
        return plan_guest_acts(wants, have, self._done)

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        """Nothing: what happens in a guest is not registered."""

    def apply(self, cloud: Cloud, work: Work, step: Step) -> Iterator[float]:
        if work.node is None or work.id is None:
            raise ValueError(f"{work.label} is planned on no node")
        hypervisor, uuid = cloud.hypervisor(work.node), uuid_of(work.id)
        act: Act = step.does
        match act:
            case Run():
                self._outcomes[work.id] = outcome = yield from _run(hypervisor, uuid, act, work)
                _require_success(outcome, act, work)
            case SetPassword():
                yield from hypervisor.set_guest_password(uuid, act.user, act.hashed, work.label)
            case SetTime():
                yield from hypervisor.set_guest_time(uuid, time.time(), work.label)
            case _:
                assert_never(act)
        self._done.add(work.id)

    def describe(self, wants: Sequence[GuestAct], have: Whereabouts) -> list[dict[str, Any]]:
        found = describe_whereabouts(wants, have)
        return [item | _tell(self._outcomes.get(str(item.get("id")))) for item in found]


@dataclass(frozen=True)
class _Named:
    """An instance that is asked about."""

    name: str
    cluster: str | None


class GuestInfoResource:
    """What guests say of themselves."""

    def read(self, cloud: Cloud, wants: Sequence[Any], options: Options) -> GuestsHave:
        return ask_guests(cloud, options["names"])

    def describe(self, wants: Sequence[Any], have: GuestsHave) -> list[dict[str, Any]]:
        asked = [_Named(row.id, row.scope) for row in have.rows]
        return [item | have.told[item["id"]] for item in describe_whereabouts(asked, have.where)]


def _tell(outcome: Outcome | None) -> dict[str, Any]:
    if outcome is None:
        return dict.fromkeys(("rc", "signal", "stdout", "stderr", "truncated"))
    return {
        "rc": outcome.rc,
        "signal": outcome.signal,
        "stdout": outcome.stdout,
        "stderr": outcome.stderr,
        "truncated": outcome.is_cut,
    }


def _run(hypervisor: Hypervisor, uuid: str, act: Run, work: Work) -> Generator[float, None, Outcome]:
    deadline = time.monotonic() + act.timeout_s
    order: dict[str, Any] = {"path": act.argv[0], "arg": list(act.argv[1:]), "capture-output": True}
    if act.stdin is not None:
        order["input-data"] = base64.b64encode(act.stdin.encode()).decode()
    try:
        begun = yield from hypervisor.ask_agent(uuid, {"execute": "guest-exec", "arguments": order}, work.label)
        pid, pause_s = read_pid(begun), _FIRST_PAUSE_S
        asked = {"execute": "guest-exec-status", "arguments": {"pid": pid}}
        while True:
            outcome = read_outcome((yield from hypervisor.ask_agent(uuid, asked, work.label)))
            if outcome is not None:
                return outcome
            if time.monotonic() >= deadline:
                what = f"{act.program} did not end within {act.timeout_s} s, and goes on in the guest (process {pid})"
                remedy = "Give it more time (timeout_s), or end it there."
                raise HypervisorError([Problem(what, remedy, work.node, work.key)])
            yield pause_s
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    except AnswerError as error:
        what = f"the guest's agent does not answer as it should: {error}"
        raise HypervisorError([Problem(what, "Look at qemu-guest-agent in it.", work.node, work.key)]) from error


def _require_success(outcome: Outcome, act: Run, work: Work) -> None:
    if outcome.rc == 0:
        return
    how = f"was ended by signal {outcome.signal}" if outcome.rc is None else f"exited with {outcome.rc}"
    problem = Problem(f"{act.program} {how} in the guest", "What it said is in the result.", work.node, work.key)
    raise HypervisorError([problem])
